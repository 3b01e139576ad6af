// Logging by keyboard: the list of patients below the field, Enter saves, and the new patient's fields.
"use strict";

(() => {
  const form = document.getElementById("log");
  const who = document.getElementById("f-who");
  const list = document.getElementById("who-list");
  const part = document.getElementById("who-part");
  const status = document.getElementById("who-status");
  // What the field said when the list below it was fetched, and whether Enter was pressed before it came.
  let asked = "";
  let hurried = false;
  let choosing = null;

  const options = () => [...list.querySelectorAll("[role=option]")];
  const active = () => list.querySelector("[aria-selected=true]");
  const isOpen = () => !list.hidden;
  const isChosen = () => part.querySelector("[name=patient]") !== null;
  const isNew = () => part.querySelector("#new-patient")?.open && part.querySelector("[name=first_name]").value.trim() !== "";

  for (const part of document.querySelectorAll(".ago")) part.hidden = false;

  function open() {
    list.hidden = options().length === 0;
    who.setAttribute("aria-expanded", String(!list.hidden));
  }

  function close() {
    list.hidden = true;
    who.setAttribute("aria-expanded", "false");
    who.removeAttribute("aria-activedescendant");
    hurried = false;
  }

  function mark(option) {
    active()?.setAttribute("aria-selected", "false");
    option.setAttribute("aria-selected", "true");
    who.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }

  function step(by) {
    const all = options();
    if (all.length === 0) return;
    const at = all.indexOf(active());
    mark(all[(at + by + all.length) % all.length]);
  }

  function choose(option) {
    close();
    if (option.dataset.new !== undefined) begin(option.dataset.new);
    else {
      who.value = option.dataset.name.trim();
      remember();
      who.focus();
      choosing = htmx.ajax("GET", `/log/patient/${option.dataset.patient}`, { target: part, swap: "innerHTML" });
      choosing.then(arrived);
    }
  }

  // The patient is there. What has to be asked comes first, even for who has pressed Enter already.
  function arrived() {
    choosing = null;
    const question = part.querySelector(".consent input");
    if (question) question.focus();
    else if (hurried) form.requestSubmit();
    hurried = false;
  }

  // A new patient: what was typed is the name, or the number where it has no letters.
  async function begin(typed) {
    if (isChosen()) await forget();
    const field = (name) => part.querySelector(`[name=${name}]`);
    part.querySelector("#new-patient").open = true;
    if (/\p{L}/u.test(typed)) {
      const words = capitalised(typed.trim()).split(/\s+/);
      field("last_name").value = words.length > 1 ? words.pop() : "";
      field("first_name").value = words.join(" ");
      field("phone").focus();
    } else {
      field("phone").value = typed;
      field("first_name").focus();
    }
    showWords();
    changed();
  }

  // Who types a name in small letters only is in a hurry, and no patient wants to be greeted so.
  function capitalised(name) {
    if (name !== name.toLowerCase()) return name;
    return name.replace(/(^|[\s'’-])(\p{L})/gu, (_, before, letter) => before + letter.toUpperCase());
  }

  // Somebody was chosen, and another one is looked for: the part for a new patient comes back.
  function forget() {
    return htmx.ajax("GET", "/log/patient", { target: part, swap: "innerHTML" });
  }

  const changed = () => htmx.trigger(document.body, "log-changed");
  const remember = () => { form.elements.namedItem("who").value = who.value; };

  who.addEventListener("input", () => {
    remember();
    if (isChosen()) forget().then(changed);
    if (who.value.trim().length < 2) close();
  });
  who.addEventListener("htmx:beforeRequest", () => { asked = who.value; });
  list.addEventListener("htmx:afterSwap", () => {
    if (who.value !== asked || document.activeElement !== who) return;
    const all = options();
    const patients = all.filter((option) => option.dataset.patient);
    status.textContent = patients.length === 1 ? "1 patient found" : `${patients.length} patients found`;
    open();
    if (all.length > 0) mark(all[0]);
    // Who was quicker than the list gets the only one there is; several have to be looked at.
    if (hurried && patients.length === 1) choose(patients[0]);
    hurried = false;
  });
  who.addEventListener("blur", () => setTimeout(close, 150));
  who.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (isOpen()) step(event.key === "ArrowDown" ? 1 : -1);
      else if (options().length > 0) {
        open();
        mark(active() ?? options()[0]);
      }
    } else if (event.key === "Escape") {
      event.preventDefault();
      if (isOpen()) close();
      else if (who.value) {
        who.value = "";
        who.dispatchEvent(new Event("input", { bubbles: true }));
      }
    } else if (event.key === "Tab" && isOpen() && active()?.dataset.patient && who.value === asked) {
      choose(active());
    } else if (event.key === "Enter" && !event.ctrlKey) {
      event.preventDefault();
      event.stopPropagation();
      if (isOpen() && active() && who.value === asked) choose(active());
      else if (choosing) hurried = true;
      else if (isChosen() || isNew()) form.requestSubmit();
      else if (who.value.trim().length >= 2) hurried = true;
    }
  });
  list.addEventListener("mousedown", (event) => {
    const option = event.target.closest("[role=option]");
    if (!option) return;
    event.preventDefault();
    choose(option);
  });

  // Enter saves wherever it is pressed, but on what Enter itself works, such as a button or a link.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || event.defaultPrevented) return;
    const anywhere = event.ctrlKey || event.metaKey;
    const field = event.target.closest("#log input, #log select");
    if (!anywhere && !field) return;
    event.preventDefault();
    form.requestSubmit();
  });

  document.addEventListener("click", (event) => {
    const ago = event.target.closest("[data-ago]");
    if (!ago) return;
    const ended = form.elements.namedItem("ended_at");
    ended.value = `-${ago.dataset.ago} min`;
    changed();
    ended.focus();
  });

  // The words of consent in the language that was chosen.
  function showWords() {
    const language = part.querySelector("[name=language]")?.value;
    if (!language) return;
    for (const words of part.querySelectorAll("[data-words]")) words.hidden = words.dataset.words !== language;
  }
  part.addEventListener("change", (event) => { if (event.target.name === "language") showWords(); });
  part.addEventListener("htmx:afterSwap", showWords);
  showWords();

  // Typed but not chosen: the answer says so beside the field, which is in another form.
  form.addEventListener("submit", remember, { capture: true });
})();
