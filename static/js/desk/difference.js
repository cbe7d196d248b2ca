// The difference view: what only one of the two has is marked, what both have steps back.

import { compare } from "./comparing.js";
import { mark, unmark } from "./marking.js";
import { placeOf, stretches } from "./stretches.js";
import { placePanes } from "./together.js";
import { readText, shownIn } from "./tokens.js";

const NAMES = ["only-left", "only-right", "both-left", "both-right", "place-here"];
const READING_HEIGHT = 0.3; // of the pane: where a place comes to stand

/** @type {WeakMap<Element, object>} what was found on a desk, until its panes show something else */
const found = new WeakMap();
let marked = null; // the desk whose marks are on the page: the browser keeps marks for a page, not for an element

/**
 * Compare in advance, on a desk that waits: nothing is marked and no layout is needed.
 * @param {Element} desk
 */
export function prepareDifference(desk) {
  examine(desk);
}

/**
 * Mark what the two shown texts share and where they part. Again after the raw view was switched.
 * @param {Element} desk
 * @returns {import("./comparing.js").Counts | null} null where there are not two texts
 */
export function showDifference(desk) {
  const state = examine(desk);
  if (!state) return null;
  hideDifference();
  marked = desk;
  desk.dataset.difference = "";
  const { left, right, counts } = state.comparison;
  markRuns(state, "left", "only-left", left, 0);
  markRuns(state, "right", "only-right", right, 0);
  // Where nothing differs nothing steps back either: all would be grey. And with the system's few colours
  // whatever is marked looks the same.
  if (counts.places && !matchMedia("(forced-colors: active)").matches) {
    markRuns(state, "left", "both-left", left, 1);
    markRuns(state, "right", "both-right", right, 1);
  }
  return counts;
}

/** Take all marks away. Also before another desk is shown without them. */
export function hideDifference() {
  const changed = NAMES.map(unmark).includes(true);
  if (!marked) return;
  delete marked.dataset.difference;
  const state = found.get(marked);
  if (state) state.at = -1;
  if (changed) found.delete(marked);
  marked = null;
}

/**
 * Go to the next place where the two part, round and round, and mark it.
 * @param {Element} desk
 * @param {1 | -1} step
 * @returns {{number: number, places: number, left: string, right: string} | null} which place it is, from 1,
 *   and what each side has there, for the page to say; null where nothing differs
 */
export function nextDifference(desk, step) {
  if (marked !== desk || !isFresh(desk)) showDifference(desk);
  const state = found.get(desk);
  const places = state?.comparison.places ?? [];
  if (!places.length) return null;
  state.at = state.at < 0 ? (step > 0 ? 0 : places.length - 1) : (state.at + step + places.length) % places.length;
  const place = places[state.at];
  const here = { left: runsOf(place.left), right: runsOf(place.right) };
  const both = ["left", "right"].flatMap((side) => stretchesOf(state, side, here[side]));
  if (mark("place-here", both, 1)) readAgain(state);
  show(desk, state, place);
  const text = (side) => stretchesOf(state, side, here[side]).map(textOf).join(" … ");
  return { number: state.at + 1, places: places.length, left: text("left"), right: text("right") };
}

const stretchesOf = (state, side, runs) => runs.flatMap(([from, to]) => stretches(state[side], from, to));
const textOf = ({ block, start, end }) => block.text.slice(start, end).replace(/\s+/g, " ");

/** What is known of a desk's two texts; compared again if the panes show something else now. */
function examine(desk) {
  if (isFresh(desk)) return found.get(desk);
  const panes = ["left", "right"].map((side) => desk.querySelector(`.pane[data-side="${side}"]`));
  if (!panes.every(Boolean)) return null;
  const [leftRoot, rightRoot] = panes.map(shownIn);
  const [left, right] = [readText(leftRoot), readText(rightRoot)];
  const state = { leftRoot, rightRoot, left, right, comparison: compare(left, right), at: -1 };
  found.set(desk, state);
  return state;
}

/** Whether what is known is of the nodes that are shown: a formula or a view may have come since. */
function isFresh(desk) {
  const state = found.get(desk);
  return Boolean(state) && ["left", "right"].every((side) => {
    const pane = desk.querySelector(`.pane[data-side="${side}"]`);
    const root = state[`${side}Root`];
    const isThere = ({ pieces }) => pieces.every(({ node }) => root.contains(node));
    return pane && shownIn(pane) === root && state[side].blocks.every(isThere);
  });
}

function readAgain(state) {
  state.left = readText(state.leftRoot);
  state.right = readText(state.rightRoot);
}

function markRuns(state, side, name, shared, wanted) {
  const tokens = [...shared.keys()].filter((i) => shared[i] === wanted);
  if (mark(name, stretchesOf(state, side, runsOf(tokens)))) readAgain(state);
}

/** Rising numbers as runs from..to, `to` not included. */
function runsOf(numbers) {
  const runs = [];
  for (const i of numbers) {
    if (runs.length && runs.at(-1)[1] === i) runs.at(-1)[1]++;
    else runs.push([i, i + 1]);
  }
  return runs;
}

/** Bring a place to the reading height of both panes; where the page scrolls (a phone), of the page. */
function show(desk, state, place) {
  const tops = {};
  for (const side of ["left", "right"]) {
    const body = desk.querySelector(`.pane[data-side="${side}"] .pane-body`);
    const tokens = state[side].tokens;
    const first = place[side][0] ?? Math.min(place[`${side}At`], tokens.length - 1);
    if (first < 0) continue;
    const box = placeOf(stretches(state[side], first, first + 1)[0]);
    const frame = body.getBoundingClientRect();
    if (body.scrollHeight > body.clientHeight + 1) {
      tops[side] = body.scrollTop + box.top - frame.top - READING_HEIGHT * body.clientHeight;
    } else if (place[side].length && (side === "left" || !place.left.length)) {
      if (box.top < 0 || box.bottom > innerHeight) scrollBy({ top: box.top - READING_HEIGHT * innerHeight });
    }
    // Wide code and tables scroll sideways inside the text.
    const wide = box.node.parentElement?.closest("pre, table");
    const edges = wide?.getBoundingClientRect();
    if (wide && (box.left < edges.left || box.right > edges.right)) {
      wide.scrollLeft += box.left - edges.left - wide.clientWidth / 4;
    }
  }
  placePanes(desk, tops);
}
