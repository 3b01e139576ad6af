// The inbox, for those with a script: what is half typed is kept, the last words are in sight, keys move about.
"use strict";

(() => {
  // What is half typed outlives a click elsewhere, a reload and a closed lid: kept in this tab until it is sent.
  const form = document.getElementById("answer");
  const words = document.getElementById("f-words");
  if (form && words) {
    const slot = `answer:${form.dataset.answer}`;
    const kept = sessionStorage.getItem(slot);
    addEventListener("DOMContentLoaded", () => {
      if (!kept || words.value) return;
      words.value = kept;
      words.dispatchEvent(new Event("input", { bubbles: true }));
    });
    words.addEventListener("input", () => {
      if (words.value.trim()) sessionStorage.setItem(slot, words.value);
      else sessionStorage.removeItem(slot);
    });
    form.addEventListener("submit", (event) => {
      if (event.submitter?.name !== "quick") sessionStorage.removeItem(slot);
    });
    words.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      form.requestSubmit(form.querySelector("button[name=then]"));
    });
    form.addEventListener("change", (event) => {
      if (event.target.name === "channel") words.dispatchEvent(new Event("input", { bubbles: true }));
    });
  }

  // The last words first; and still, when something was said while the end was in sight.
  const turns = () => document.querySelector(".turns");
  const isAtEnd = (list) => list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  const toEnd = () => { const list = turns(); if (list) list.scrollTop = list.scrollHeight; };
  let follow = true;
  let place = 0;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const list = event.target.id === "talk" ? turns() : null;
    if (!list) return;
    follow = isAtEnd(list);
    place = list.scrollTop;
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id !== "talk") return;
    if (follow) toEnd();
    else turns().scrollTop = place;
  });
  // At first: the most serious one that waits, where the end would hide it.
  addEventListener("DOMContentLoaded", () => {
    toEnd();
    const open = [...(turns()?.querySelectorAll(".is-open") ?? [])];
    const [waits] = open.sort((one, other) => one.dataset.rank - other.dataset.rank);
    if (waits && waits.offsetTop < turns().scrollTop) turns().scrollTop = waits.offsetTop - 12;
  });

  // j and k: the next and the one before in the list, unless somebody is typing.
  document.addEventListener("keydown", (event) => {
    if (!["j", "k"].includes(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select")) return;
    const letters = [...document.querySelectorAll("[data-letter]")];
    const here = letters.findIndex((each) => each === document.activeElement);
    const at = here >= 0 ? here : letters.findIndex((each) => each.hasAttribute("aria-current"));
    letters[Math.min(Math.max(at + (event.key === "j" ? 1 : -1), 0), letters.length - 1)]?.focus();
  });
})();
