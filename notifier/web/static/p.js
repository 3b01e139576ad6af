// A slider in the place of eleven buttons. Nothing is chosen until it was touched, so that no 5 is sent by chance.
"use strict";
(function () {
  var form = document.getElementById("score");
  if (!form) return;
  var numbers = form.querySelector(".numbers"), slider = form.querySelector(".slider");
  var range = slider.querySelector("input"), shown = slider.querySelector("output");
  var button = form.querySelector("button"), words = button.textContent;
  numbers.disabled = true;
  numbers.hidden = true;
  slider.hidden = false;
  button.disabled = true;
  button.textContent = button.getAttribute("data-first");
  function chosen() {
    range.name = "value";
    range.classList.add("chosen");
    shown.textContent = range.value;
    range.setAttribute("aria-valuetext", range.value);
    button.disabled = false;
    button.textContent = words;
  }
  range.addEventListener("input", chosen);
  range.addEventListener("click", chosen);
})();
