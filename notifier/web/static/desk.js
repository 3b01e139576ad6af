// The pages of the front desk, for those with a script; all of it works without.
"use strict";

// A part that renews itself waits while somebody is reading or typing in it.
document.addEventListener("htmx:beforeRequest", (event) => {
  const part = event.target;
  if (!part.hasAttribute?.("data-live")) return;
  const typing = part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select");
  if (typing || part.querySelector("details[open]") || document.hidden) event.preventDefault();
});

// Through what was found with the arrows, from the field where it is asked for.
document.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const links = [...document.querySelectorAll("[data-found] a")];
  const asked = event.target.matches("[data-search]");
  const at = links.indexOf(event.target.closest("[data-found] a"));
  if (!links.length || (!asked && at < 0)) return;
  event.preventDefault();
  const next = at + (event.key === "ArrowDown" ? 1 : -1);
  (next < 0 ? document.querySelector("[data-search]") : links[Math.min(next, links.length - 1)]).focus();
});

// A link to one message opens it.
function openTarget() {
  const found = location.hash.startsWith("#m") && document.querySelector(`${location.hash} > details`);
  if (found) found.open = true;
}
addEventListener("hashchange", openTarget);
document.addEventListener("DOMContentLoaded", openTarget);
