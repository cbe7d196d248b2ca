// The parts of the comparison page that stay while comparisons come and go.

export const $ = (selector) => document.querySelector(selector);

/** What the server told the page: keys, addresses, who is here. */
export const data = $("#desk-data").dataset;

/** The comparison in view; null when there is none. */
export const desk = () => $("#desk");

/**
 * Have a screen reader say it.
 * @param {string} text
 */
export function announce(text) {
  const live = $("#desk-live");
  live.textContent = ""; // the same sentence twice would not be said a second time
  setTimeout(() => { live.textContent = text; }, 60);
}

/**
 * Show it above the comparison, until the next one.
 * @param {string} text an empty one hides it
 */
export function notify(text) {
  const notice = $("#desk-notice");
  if (!notice) return;
  notice.textContent = text;
  notice.hidden = !text;
  if (text) announce(text);
}

/**
 * Say that something does not work, until it does.
 * @param {string} text an empty one takes it away
 * @param {{href: string, text: string}} [link] where to go
 */
export function trouble(text, link) {
  const box = $("#desk-error");
  if (box.dataset.text === text) return;
  box.dataset.text = text;
  box.textContent = text;
  if (!link) return;
  const way = document.createElement("a");
  way.href = link.href;
  way.textContent = link.text;
  box.append(" ", way);
}
