// What every page does by script; without it forms still post and pages still show everything.
"use strict";

// A form that is on its way is not sent twice, and says that it is busy.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent === "yes") {
    event.preventDefault();
    return;
  }
  if (form.method === "post" && !form.hasAttribute("hx-post") && !event.defaultPrevented) {
    form.dataset.sent = "yes";
    (event.submitter || form.querySelector("[type=submit]"))?.setAttribute("aria-busy", "true");
  }
});

// Back from another page: the browser shows the old one as it was, where nothing is on its way any more.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  for (const busy of document.querySelectorAll("[type=submit][aria-busy]")) busy.removeAttribute("aria-busy");
});

// Toasts go by themselves, those with a button later.
function letGo(toast) {
  const wait = toast.querySelector("form") ? 30000 : 9000;
  setTimeout(() => { if (!toast.matches(":hover, :focus-within")) toast.remove(); }, wait);
}
for (const toast of document.querySelectorAll(".toast")) letGo(toast);
document.addEventListener("click", (event) => {
  if (event.target.closest(".toast .close")) event.target.closest(".toast").remove();
});
new MutationObserver((changes) => {
  for (const change of changes) {
    for (const node of change.addedNodes) if (node.classList?.contains("toast")) letGo(node);
  }
}).observe(document.getElementById("toasts"), { childList: true });

function say(words) {
  const toast = document.createElement("div");
  toast.className = "toast bad";
  const text = document.createElement("p");
  text.textContent = words;
  toast.append(text);
  document.getElementById("toasts").append(toast);
}

// HTMX: answers that refuse are shown too, and what was typed stays.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  if ([400, 403, 404, 409, 413, 422, 500, 503].includes(xhr.status)) event.detail.shouldSwap = true;
});
document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status !== 401) return;
  document.getElementById("signed-out").hidden = false;
});
document.addEventListener("htmx:sendError", () => {
  document.getElementById("offline").hidden = false;
});
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful) document.getElementById("offline").hidden = true;
});

// "/" goes to the search, as on many sites, unless somebody is typing.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  const search = document.querySelector("[data-search]");
  if (search) {
    event.preventDefault();
    search.focus();
  }
});

// A choice that sends its form at once, such as the clinic switcher.
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-send]")) event.target.form.requestSubmit();
});

// A link that is there to be copied is selected as a whole.
document.addEventListener("focusin", (event) => {
  if (event.target.matches("[data-select]")) event.target.select();
});

// On a phone the navigation is a strip: show the place where one is.
document.querySelectorAll(".side [aria-current]").forEach((here) => {
  const strip = here.closest("ul");
  if (strip.scrollWidth > strip.clientWidth) strip.scrollLeft = here.offsetLeft - strip.clientWidth / 2;
});

// A form that came back goes on where it is wrong.
document.querySelector("main [aria-invalid=true]")?.focus();
