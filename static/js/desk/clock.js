// How long a comparison has been worked at: with the page in view, and its reader not idle.

import { recall, remember } from "./store.js";

const IDLE_AFTER = 60_000; // ms without a sign of the reader
const LONG_IDLE = 5 * 60_000; // a pause taken
const SIGNS = ["pointermove", "pointerdown", "keydown", "wheel", "scroll", "touchmove", "input"];

let shown = performance.now(); // since when the comparison is in view
let counted = shown; // up to when active time has been counted
let lastSign = shown;
let active = 0;
let sitting = Number(recall("sitting") || 0); // active ms since the last pause

function count() {
  const now = performance.now();
  if (document.visibilityState === "visible") {
    const until = Math.min(now, lastSign + IDLE_AFTER);
    const spent = Math.max(0, until - counted);
    active += spent;
    sitting += spent;
  }
  if (now - lastSign > LONG_IDLE) sitting = 0;
  counted = now;
}

function sign() {
  count();
  lastSign = performance.now();
}

for (const name of SIGNS) addEventListener(name, sign, { passive: true, capture: true });
document.addEventListener("visibilitychange", () => {
  // What passed until now passed in the state from before.
  const now = performance.now();
  if (document.visibilityState === "hidden") {
    const spent = Math.max(0, Math.min(now, lastSign + IDLE_AFTER) - counted);
    active += spent;
    sitting += spent;
  } else {
    if (now - lastSign > LONG_IDLE) sitting = 0;
    lastSign = now;
  }
  counted = now;
  remember("sitting", String(Math.round(sitting)));
});

/** Begin to time a comparison. */
export function restart() {
  count();
  shown = performance.now();
  active = 0;
}

/** @returns {{seconds: number, active: number}} since the comparison came into view */
export function elapsed() {
  count();
  return { seconds: (performance.now() - shown) / 1000, active: active / 1000 };
}

/** Whether the reader was here lately. */
export const isAwake = () => document.visibilityState === "visible" && performance.now() - lastSign < LONG_IDLE;

/** @returns {number} active minutes since the last pause */
export function sittingMinutes() {
  count();
  remember("sitting", String(Math.round(sitting)));
  return sitting / 60_000;
}

export function pauseTaken() {
  sitting = 0;
  remember("sitting", "0");
}
