// A button that copies the link of an invitation. Without a script the field is there to be selected.
(() => {
  "use strict";
  const field = document.getElementById("link");
  const button = document.getElementById("copy-link");
  if (!field || !button) return;
  const usual = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    let done = true;
    try {
      await navigator.clipboard.writeText(field.value);
    } catch { // http on a local network has no navigator.clipboard; the old way needs a selection
      field.select();
      done = document.execCommand("copy");
      if (done) button.focus();
    }
    button.textContent = done ? button.dataset.done : button.dataset.failed;
    if (done) setTimeout(() => { button.textContent = usual; }, 2000);
  });
})();
