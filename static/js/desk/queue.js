// The comparisons that are ready to be shown, rendered in advance on elements off the page.

import { prepareDifference } from "./difference.js";
import { desk } from "./page.js";
import { finish } from "./prose.js";

/** @type {HTMLElement[]} in the order that they will be shown */
let ahead = [];

const parser = document.createElement("template");

/** @returns {HTMLElement} a comparison's element, sanitised by the server */
function parse(html) {
  parser.innerHTML = html;
  return parser.content.querySelector("#desk");
}

/** The leases that the page has, the one in view first. */
export const leases = () => [desk(), ...ahead].filter(Boolean).map((each) => each.dataset.token);

/**
 * Take in what the server says is the person's: new comparisons join, lost ones go.
 * @param {{held: string[], sheets: string[]}} state
 * @param {Set<string>} answered leases of answers under way
 */
export function refill({ held, sheets }, answered) {
  const fresh = sheets.map(parse).filter(Boolean);
  for (const sheet of fresh) prepare(sheet);
  const all = new Map([...ahead, ...fresh].map((each) => [each.dataset.token, each]));
  const inView = desk()?.dataset.token;
  ahead = held.filter((token) => token !== inView && !answered.has(token) && all.has(token)).map((token) => all.get(token));
}

/** @returns {HTMLElement | undefined} the next comparison, taken out */
export const next = () => ahead.shift();

/** Put one that was in view before the others. */
export const putBack = (sheet) => ahead.unshift(sheet);

function prepare(sheet) {
  finish(sheet);
  (window.requestIdleCallback ?? setTimeout)(() => { if (!sheet.isConnected) prepareDifference(sheet); });
}
