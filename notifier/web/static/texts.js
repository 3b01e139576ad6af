// The texts editor: languages as tabs, placeholders at the cursor, and what was typed kept until it is saved.
"use strict";

(() => {
  const form = document.getElementById("texts-form");
  if (!form) return;
  document.documentElement.classList.add("scripted");

  // One language at a time; the address says which, so that a link and the back button find it again.
  const sides = [...form.querySelectorAll(".language")];
  function open(language) {
    const chosen = sides.find((side) => side.id === language) || sides[0];
    for (const side of sides) side.hidden = side !== chosen;
    for (const tab of form.querySelectorAll("[data-tab]")) {
      if (tab.dataset.tab === chosen.id) tab.setAttribute("aria-current", "true");
      else tab.removeAttribute("aria-current");
    }
  }
  form.addEventListener("click", (event) => {
    const tab = event.target.closest("[data-tab]");
    if (!tab) return;
    event.preventDefault();
    history.replaceState(null, "", `#${tab.dataset.tab}`);
    open(tab.dataset.tab);
  });
  window.addEventListener("hashchange", () => open(location.hash.slice(1)));
  const wrong = form.querySelector(".language [aria-invalid]");
  open(location.hash.slice(1) || wrong?.closest(".language").id);

  // A placeholder goes where the cursor was last, and can be taken back with the field's own undo.
  let last = null;
  form.addEventListener("focusin", (event) => {
    if (event.target.matches("[data-words]")) last = event.target;
  });
  function field() {
    const here = sides.find((side) => !side.hidden);
    return last && here.contains(last) ? last : here.querySelector("[data-words]");
  }
  form.addEventListener("click", (event) => {
    const button = event.target.closest("[data-insert]");
    if (!button) return;
    const into = field();
    into.focus();
    if (!document.execCommand("insertText", false, button.dataset.insert)) {
      into.setRangeText(button.dataset.insert, into.selectionStart, into.selectionEnd, "end");
      into.dispatchEvent(new Event("input", { bubbles: true }));
    }
  });

  // Also when it was only just typed, and not looked at yet.
  form.addEventListener("submit", () => sessionStorage.setItem(slot, JSON.stringify(pairs())));

  // The number that a test goes to is no part of any text: nothing is shown anew for it, and Enter sends the test.
  form.addEventListener("input", (event) => {
    if (event.target.matches("[data-enter]")) event.stopPropagation();
  }, true);
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches("input[data-enter], input[data-words]")) return;
    event.preventDefault(); // a subject is one line, and is shown already
    if (event.target.matches("[data-enter]")) event.target.parentElement.querySelector("button").click();
  });

  // What was typed outlives a reload, the back button and a closed lid: kept in this tab until it is saved.
  const slot = `texts:${form.dataset.texts}`;
  const pairs = () => words().map((each) => [each.name, each.value]);
  const words = () => [...form.querySelectorAll("[data-words]")];
  function keep() {
    const changed = document.querySelector("#save-bar [data-forget]");
    if (changed) sessionStorage.setItem(slot, JSON.stringify(pairs()));
    else sessionStorage.removeItem(slot);
  }
  function bringBack() {
    const kept = new Map(JSON.parse(sessionStorage.getItem(slot) || "[]"));
    let differs = false;
    for (const each of words()) {
      if (!kept.has(each.name) || kept.get(each.name) === each.value) continue;
      each.value = kept.get(each.name);
      differs = true;
    }
    if (differs) words()[0].dispatchEvent(new Event("input", { bubbles: true }));
  }
  function mark() {
    for (const each of words()) {
      const said = document.getElementById(each.id.replace(/^f-/, "say-"));
      if (said.querySelector(".error")) each.setAttribute("aria-invalid", "true");
      else each.removeAttribute("aria-invalid");
    }
  }
  // What is unfolded stays unfolded while its content changes.
  let unfolded = [];
  const folds = () => [...form.querySelectorAll("[id^=changes-] details.compared")];
  const nameOf = (fold) => `${fold.parentElement.id} ${fold.querySelector("summary").textContent}`;
  document.addEventListener("htmx:beforeSwap", () => {
    unfolded = folds().filter((fold) => fold.open).map(nameOf);
  });
  document.addEventListener("htmx:afterSettle", () => {
    for (const fold of folds()) if (unfolded.includes(nameOf(fold))) fold.open = true;
    mark();
    keep();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-forget]")) sessionStorage.removeItem(slot);
  });
  window.addEventListener("DOMContentLoaded", () => {
    if (form.dataset.changed) keep();
    else bringBack();
  });
})();
