// What must outlive the page: drafts, and answers that have not been sent. Each person's apart.

import { data } from "./page.js";

const PREFIX = `pairselect:${data.person}:`;
const OUTBOX = ":outbox";
const LIST = `${PREFIX}outbox`;
const KEEP_DAYS = 30;

function read(name, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + name)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

function write(name, value) {
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, JSON.stringify(value));
    return true;
  } catch {
    return false; // no room, or forbidden by the browser
  }
}

/** @param {string} address the comparison's */
export const draftOf = (address) => read(`draft:${address}`, null)?.fields ?? null;

/**
 * @param {string} address
 * @param {Record<string, string> | null} fields null forgets it
 */
export const keepDraft = (address, fields) =>
  write(`draft:${address}`, fields && { fields, at: Date.now() });

const DRAFTED = /^(reason|edit|edit_of|criterion_\w+)$/;

/**
 * @param {Iterable<[string, string]>} fields of the answer's form
 * @returns {Record<string, string> | null} those that somebody wrote; null: none
 */
export function writtenIn(fields) {
  const found = [...fields].filter(([name, value]) => DRAFTED.test(name) && value !== "");
  return found.length ? Object.fromEntries(found) : null;
}

/**
 * Answers on their way, of all campaigns, the oldest first. Each has a name of its own, so that of
 * two tabs that write at the same time neither undoes what the other wrote.
 */
export const outbox = () =>
  stored()
    .filter((name) => name.startsWith(PREFIX) && name.endsWith(OUTBOX) && name !== LIST)
    .map((name) => read(name.slice(PREFIX.length), null))
    .filter(Boolean);

/** @returns {boolean} whether the browser has stored it */
export const keepAnswer = (entry) => write(`${entry.id}${OUTBOX}`, entry);
export const forgetAnswer = (entry) => write(`${entry.id}${OUTBOX}`, null);

/** An earlier version of the page kept all of them as one list. */
export function adoptList() {
  const list = read("outbox", []);
  if (list.every((entry, place) => keepAnswer({ ...entry, at: place }))) write("outbox", null);
}

/** Drafts that nobody came back to. */
export function forgetOldDrafts() {
  const before = Date.now() - KEEP_DAYS * 86_400_000;
  for (const name of stored()) {
    if (!name.startsWith(`${PREFIX}draft:`)) continue;
    const draft = read(name.slice(PREFIX.length), null);
    if (!draft || !(draft.at > before)) localStorage.removeItem(name);
  }
}

function stored() {
  try {
    return Object.keys(localStorage);
  } catch {
    return [];
  }
}

/** @returns {string | null} what `remember` kept for as long as the tab is open */
export function recall(name) {
  try {
    return sessionStorage.getItem(name);
  } catch {
    return null;
  }
}

/** @param {string} name @param {string | null} text null forgets it */
export function remember(name, text) {
  try {
    if (text === null) sessionStorage.removeItem(name);
    else sessionStorage.setItem(name, text);
  } catch { /* no room, or forbidden: the tab goes on without */ }
}
