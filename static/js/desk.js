// The comparison page. Every answer is a real form with real buttons; this file adds the keys,
// the focus after a swap, the announcements, and the notice when an answer did not arrive.
(() => {
  "use strict";

  const SETTLE_MS = 300; // a second click or key press this soon was meant for the pair before
  const SCROLL_PX = 120;

  const $ = (selector) => document.querySelector(selector);
  const keys = $("#keys");
  const instructions = $("#instructions");
  const buttons = () => [...document.querySelectorAll(".answers button")];
  let focused = null; // the button that lost the focus by being disabled during the request

  function say(text) {
    // Emptied first: the same sentence twice would not be announced a second time.
    $("#desk-live").textContent = "";
    setTimeout(() => { $("#desk-live").textContent = text; }, 60);
  }

  function fail(form, reason) {
    const what = form?.dataset?.failed || "That did NOT work.";
    $("#desk-error").textContent = `${what} ${reason}`;
  }

  // Wide code and tables scroll inside their text: they must be reachable by Tab where that is so.
  function openScrollers() {
    document.querySelectorAll(".prose pre, .prose table").forEach((each) => {
      if (each.scrollWidth > each.clientWidth) each.tabIndex = 0;
    });
  }

  // A fresh pair: the prompt has the focus (arrows scroll it), everything starts at its top.
  function arrive() {
    window.scrollTo(0, 0);
    ($("#desk-turns") || $("#desk-title"))?.focus({ preventScroll: true });
    say($("#desk").dataset.announce);
    openScrollers();
    const asleep = buttons().filter((button) => !button.disabled);
    asleep.forEach((button) => { button.disabled = true; });
    setTimeout(() => asleep.forEach((button) => { button.disabled = false; }), SETTLE_MS);
  }

  function typing(target) {
    return target instanceof Element && target.closest("input, textarea, select, [contenteditable]") !== null;
  }

  // The key as printed; on a keyboard whose digits need Shift (French), the digit of the key itself.
  function keyOf(event) {
    const key = event.key.toLowerCase();
    if (event.shiftKey) return /^[0-9?]$/.test(key) ? key : "";
    if (/^[a-z0-9?]$/.test(key)) return key;
    const digit = /^Digit([0-9])$/.exec(event.code);
    return digit && key.length === 1 ? digit[1] : "";
  }

  function onKey(event) {
    if (event.defaultPrevented || event.isComposing) return;
    if (event.ctrlKey || event.altKey || event.metaKey || typing(event.target)) return;
    if (keys.open || instructions?.matches(":popover-open")) return;
    const key = keyOf(event);
    if (key === "j" || key === "k") {
      const top = key === "j" ? SCROLL_PX : -SCROLL_PX;
      document.querySelectorAll(".pane-body").forEach((pane) => pane.scrollBy({ top }));
      return;
    }
    if (event.repeat || !key) return;
    if (key === "?") {
      event.preventDefault();
      keys.showModal();
      return;
    }
    const button = buttons().find((each) => each.dataset.keys.split(" ").includes(key));
    if (!button || button.disabled) return;
    event.preventDefault();
    button.click();
  }

  document.addEventListener("keydown", onKey);

  document.addEventListener("htmx:beforeRequest", () => {
    focused = document.activeElement?.closest(".answers button");
    $("#desk-error").textContent = "";
  });

  // Whatever comes back without a desk in it (a proxy's page, say) must not wipe the pair away.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { detail } = event;
    if (detail.shouldSwap && !detail.serverResponse.includes('id="desk"')) {
      detail.shouldSwap = false;
      fail(detail.requestConfig.elt, "The reply made no sense. Please choose again, or reload the page.");
    }
  });

  document.addEventListener("htmx:afterSwap", arrive);

  const unreachable = ({ detail }) => fail(detail.elt, "The server cannot be reached. Please choose again when the connection is back; nothing is counted twice.");
  document.addEventListener("htmx:sendError", unreachable);
  document.addEventListener("htmx:timeout", unreachable);
  document.addEventListener("htmx:responseError", ({ detail }) => {
    const status = detail.xhr.status;
    fail(detail.elt, status >= 500
      ? `The server had a fault (${status}). Please choose again; nothing is counted twice.`
      : `The server refused it (${status}). Please reload the page and choose again.`);
  });
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (!detail.successful) focused?.focus({ preventScroll: true });
    focused = null;
  });

  const keysButton = $("#keys-button");
  keysButton.hidden = false;
  keysButton.addEventListener("click", () => keys.showModal());
  openScrollers();
  if (instructions?.hasAttribute("data-open-first")) instructions.showPopover();
})();
