// Keys that are meant for the page, and what they do.

import { pressed } from "./pressed.js";

const EDITABLE = "input, textarea, select, [contenteditable]";
const BUTTON_LIKE = ["radio", "checkbox", "button", "submit"];

/** Whether keys go into a field of text at present. */
export function typing(target) {
  const field = target instanceof Element ? target.closest(EDITABLE) : null;
  return field !== null && !BUTTON_LIKE.includes(field.type);
}

/** The sheet or dialog that lies over the page and takes the keys, if one does. */
export function inFront() {
  return document.querySelector("dialog[open], .sheet[popover]:popover-open");
}

/**
 * Call the act of each key.
 * @param {Record<string, string>} keys act: key
 * @param {Record<string, (event: KeyboardEvent) => void>} acts by name
 * @param {string[]} repeating acts that a key held down does again and again
 */
export function listen(keys, acts, repeating) {
  const byKey = new Map(Object.entries(keys).filter(([act]) => acts[act]).map(([act, key]) => [key, act]));
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || typing(event.target) || inFront()) return;
    const act = pressed(event).map((key) => byKey.get(key)).find(Boolean);
    if (!act || (event.repeat && !repeating.includes(act))) return;
    event.preventDefault();
    acts[act](event);
  });
}
