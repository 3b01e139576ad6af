// Buttons that copy what stands beside them; without a script they are not shown, and one copies by hand.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  const words = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.firstChild.textContent = "Copied";
    } catch {
      // Only https and this computer itself may write there: the words are chosen, to be copied by key.
      getSelection().selectAllChildren(source);
      button.firstChild.textContent = "Press Ctrl+C";
    }
    setTimeout(() => { button.firstChild.textContent = words.split("\n")[0]; }, 4000);
  });
}
