// Runs beside the page: browsers slow down the clock of a tab that nobody looks at, but not this one.
"use strict";

setInterval(() => postMessage("tick"), 2000);
