// Takes the code of an invitation from behind the # of its link, which no browser sends to a server,
// and goes on with it. Without a script people paste it into the field.
(() => {
  "use strict";
  const code = location.hash.slice(1);
  const form = document.getElementById("join");
  if (!code || !form) return;
  history.replaceState(null, "", location.pathname); // nobody reads it off the screen or the history
  form.elements.code.value = decodeURIComponent(code);
  form.requestSubmit();
})();
