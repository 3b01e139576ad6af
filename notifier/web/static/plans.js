// The plan editor: dots that are dragged, what is typed kept, and the parts that a form alone cannot do.
"use strict";

(() => {
  const QUARTER = 15, HALF_HOUR = 30, DAY = 24 * 60;
  const FIRST = 2, LAST = 98, BEND = 78;

  // Hours since the treatment <-> percent of the width, as the server draws them.
  function scaleOf(axis) {
    const hours = Number(axis.dataset.hours);
    const bend = Number(axis.dataset.bend) || hours;
    const knee = axis.dataset.bend ? BEND : LAST;
    return {
      hours,
      x: (h) => h <= bend
        ? FIRST + (h / bend) * (knee - FIRST)
        : knee + ((h - bend) / (hours - bend)) * (LAST - knee),
      at: (x) => x <= knee
        ? ((x - FIRST) / (knee - FIRST)) * bend
        : bend + ((x - knee) / (LAST - knee)) * (hours - bend),
    };
  }

  // Minutes of the patient's wall clock, counted from the midnight before the treatment.
  function clockOf(axis) {
    const [hour, minute] = axis.dataset.start.split("T")[1].split(":").map(Number);
    const start = hour * 60 + minute;
    const at = Number(axis.dataset.shiftAt), shift = Number(axis.dataset.shift) * 60;
    return {
      wall: (h) => start + h * 60 + (at && h >= at ? shift : 0),
      hours: (wall) => {
        const h = (wall - start) / 60;
        return at && h >= at + shift / 60 ? h - shift / 60 : h;
      },
    };
  }

  const two = (number) => String(number).padStart(2, "0");
  const axisOf = (dot) => dot.closest("svg.axis");
  const fieldOf = (dot, name) => document.getElementById(`f-${dot.dataset.row}-${name}`);

  // What the step's fields say when its dot is put at this hour, and where the dot then really is.
  function snapped(dot, hours) {
    const axis = axisOf(dot), scale = scaleOf(axis), clock = clockOf(axis);
    const origin = Number(dot.dataset.origin);
    const wanted = Math.min(Math.max(hours, 0), scale.hours);
    if (dot.dataset.drag === "hours") {
      const minutes = Math.round(((wanted - origin) * 60) / QUARTER) * QUARTER;
      const after = minutes % 60 ? `${minutes}m` : `${minutes / 60}h`;
      return { hours: origin + minutes / 60, after, words: after };
    }
    const from = clock.wall(origin), day = Math.floor(from / DAY);
    if (dot.dataset.drag === "days") {
      const days = Math.round((clock.wall(wanted) - from) / DAY);
      return { hours: clock.hours(from + days * DAY), after: `${days}d`, words: `${days}d` };
    }
    let wall = Math.round(clock.wall(wanted) / HALF_HOUR) * HALF_HOUR;
    if (origin === 0 && wall < day * DAY) wall = day * DAY;
    const days = Math.floor(wall / DAY) - day, rest = wall - Math.floor(wall / DAY) * DAY;
    const at = `${two(Math.floor(rest / 60))}:${two(rest % 60)}`;
    return { hours: clock.hours(wall), after: `${days}d`, at, words: `${days}d at ${at}` };
  }

  // A dot before or after the visit says so, as the server does.
  function said(dot, words) {
    if (!Number(dot.dataset.origin)) return words;
    return words.startsWith("-") ? `${words.slice(1)} before the visit` : `${words} after the visit`;
  }

  function put(dot, to) {
    const words = said(dot, to.words);
    const x = scaleOf(axisOf(dot)).x(Math.max(to.hours, 0));
    dot.setAttribute("x", `${x}%`);
    dot.dataset.hours = to.hours;
    dot.setAttribute("aria-valuenow", Math.round(to.hours));
    dot.setAttribute("aria-valuetext", words);
    document.getElementById(`when-${dot.dataset.row}`).textContent = words;
    fieldOf(dot, "after").value = to.after;
    if (to.at) fieldOf(dot, "at").value = to.at;
  }

  const told = (dot) => fieldOf(dot, "after").dispatchEvent(new Event("input", { bubbles: true }));

  let dragged = null;
  document.addEventListener("pointerdown", (event) => {
    const dot = event.target.closest?.(".handle");
    if (!dot || event.button !== 0) return;
    event.preventDefault();
    dot.focus({ preventScroll: true });
    dot.setPointerCapture(event.pointerId);
    dot.classList.add("dragged");
    dragged = { dot, before: fieldOf(dot, "after").value + fieldOf(dot, "at").value };
  });
  document.addEventListener("pointermove", (event) => {
    if (!dragged) return;
    const box = axisOf(dragged.dot).getBoundingClientRect();
    const percent = Math.min(Math.max(((event.clientX - box.left) / box.width) * 100, FIRST), LAST);
    put(dragged.dot, snapped(dragged.dot, scaleOf(axisOf(dragged.dot)).at(percent)));
  });
  function drop() {
    if (!dragged) return;
    const { dot, before } = dragged;
    dragged = null;
    dot.classList.remove("dragged");
    if (fieldOf(dot, "after").value + fieldOf(dot, "at").value !== before) told(dot);
  }
  document.addEventListener("pointerup", drop);
  document.addEventListener("pointercancel", drop);

  // By keyboard: arrows by the smallest sensible step, Page Up and Page Down by a day.
  const FINE = { hours: QUARTER / 60, clock: HALF_HOUR / 60, days: 24 };
  document.addEventListener("keydown", (event) => {
    const dot = event.target.closest?.(".handle");
    if (!dot) return;
    const fine = FINE[dot.dataset.drag];
    const by = { ArrowLeft: -fine, ArrowDown: -fine, ArrowRight: fine, ArrowUp: fine, PageDown: -24, PageUp: 24 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    put(dot, snapped(dot, Number(dot.dataset.hours) + by));
    told(dot);
  });

  // While an order such as "copy" is under way it has the word: checks of what was typed before wait or are void.
  let ordering = false, open = [];
  const isOrder = (element) => element?.matches?.("button[formaction]") ?? false;
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (isOrder(event.detail.elt)) ordering = true;
    else if (ordering && event.detail.elt.matches(".plan")) event.preventDefault();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const asked = event.detail.requestConfig.elt;
    if (asked.matches(".plan") && !document.body.contains(asked)) event.detail.shouldSwap = false;
    open = [...document.querySelectorAll("details.step[open]")].map((step) => step.id);
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (isOrder(event.detail.requestConfig.elt)) ordering = false;
  });

  // Answers never move a dot that is being held, and leave open what was open.
  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    if (dragged && event.detail.target?.id === "axis") event.detail.shouldSwap = false;
  });
  document.addEventListener("htmx:afterSettle", () => {
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    mark();
    keep();
  });

  function mark() {
    for (const place of document.querySelectorAll(".say")) {
      const field = document.getElementById(place.id.replace(/^say-/, "f-"));
      if (!field) continue;
      if (place.querySelector(".error")) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    }
  }

  // Putting an audience together: the field holds what the grammar says.
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.(".builder button");
    if (!button) return;
    const builder = button.closest(".builder");
    const field = document.getElementById(builder.dataset.for);
    const part = (name) => builder.querySelector(`[data-part=${name}]`);
    if (button.dataset.clear) field.value = "every";
    else field.value = joined(field.value.trim(), part("joint").value, part("word").value, part("value"));
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
  function joined(before, joint, word, value) {
    const typed = value.value.trim();
    if (word === "score>=") word += typed.match(/\d+/)?.[0] ?? "4";
    if (word === "areas:") word += typed.toLowerCase().split(",").map((area) => area.trim().replaceAll(" ", "_")).filter(Boolean).join(",");
    value.value = "";
    if (!before || before === "every") return joint === "and not" ? `not ${word}` : word;
    return `${before} ${joint} ${word}`;
  }

  // What was typed outlives a reload, the back button and a closed lid: kept in this tab until it is saved.
  const form = () => document.getElementById("plan-form");
  const slot = () => `plan:${form().dataset.plan}`;
  const SECRET = new Set(["csrf", "clinic"]);
  function pairs() {
    return [...new FormData(form()).entries()].filter(([name]) => !SECRET.has(name));
  }
  function keep() {
    if (!form()) return;
    if (document.querySelector("#save-bar [data-forget]")) sessionStorage.setItem(slot(), JSON.stringify(pairs()));
    else sessionStorage.removeItem(slot());
  }
  function bringBack() {
    const kept = sessionStorage.getItem(slot());
    if (!kept || form().dataset.changed) return;
    const values = new URLSearchParams();
    for (const [name, value] of JSON.parse(kept)) values.append(name, value);
    for (const name of SECRET) values.append(name, form().elements[name].value);
    fetch(form().action.replace(/review$/, "edit"), { method: "POST", body: values, headers: { "HX-Request": "true" } })
      .then((answer) => (answer.ok ? answer.text() : Promise.reject(answer.status)))
      .then((html) => {
        htmx.swap("#plan-form", html, { swapStyle: "outerHTML" });
        mark();
      })
      .catch(() => {});
  }
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[data-forget]")) sessionStorage.removeItem(slot());
  });

  document.documentElement.classList.add("scripted");
  if (form()) {
    if (form().dataset.changed) keep();
    else bringBack();
  }
})();
