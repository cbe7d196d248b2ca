// A table wider than its place scrolls by itself: then it is in the order of Tab, under a name, so
// that it scrolls by keyboard too. One that fits is no stop.
(() => {
  "use strict";
  const nameOf = (wrap) =>
    wrap.querySelector("caption") ?? wrap.closest("section, .card, details")?.querySelector("h2, h3, summary") ?? document.querySelector("h1");

  function set(wrap) {
    const scrolls = wrap.scrollWidth > wrap.clientWidth;
    if (scrolls === wrap.hasAttribute("tabindex")) return;
    const attributes = { tabindex: "0", role: "group", "aria-label": nameOf(wrap)?.textContent.trim() ?? "" };
    for (const [name, value] of Object.entries(attributes)) {
      if (scrolls) wrap.setAttribute(name, value);
      else wrap.removeAttribute(name);
    }
  }

  const watch = new ResizeObserver((entries) => entries.forEach((entry) => set(entry.target)));
  const look = () => document.querySelectorAll(".table-wrap:not([tabindex])").forEach((wrap) => watch.observe(wrap));
  document.addEventListener("htmx:load", look); // what comes into the page later
  look();
})();
