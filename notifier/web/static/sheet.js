// The button that opens the browser's own printing; without script the page says how.
"use strict";

const button = document.getElementById("print");
button.hidden = false;
document.getElementById("how").hidden = true;
button.addEventListener("click", () => window.print());
