// What two texts share and where they part: words matched in order, then made readable, then what was
// moved found again in its new place.

import { align } from "./alignment.js";
import { match } from "./matching.js";
import { blockOf, tidy } from "./tidying.js";

const MOVED = 6; // so many tokens in a row, the same on both sides, were moved
const MOVED_WEIGHT = 3.5;
const SAME_START = 8; // places that are tried for a moved run; bounds repetitive texts

/**
 * @typedef {{left: number[], right: number[], leftAt: number, rightAt: number}} Place
 *   The tokens that one side has and the other lacks, of one block a side at most, and the token before which
 *   they stand or would stand.
 * @typedef {{left: Uint8Array, right: Uint8Array, places: Place[], steps: number, counts: Counts}} Comparison
 *   `left` and `right` are 1 for each token that both have.
 * @typedef {{shared: number, onlyLeft: number, onlyRight: number, share: number, places: number}} Counts
 *   Words (no punctuation); `share` is that part of all words that both have, from 0 to 1.
 */

/**
 * Compare two texts.
 * @param {import("./tokens.js").Text} left
 * @param {import("./tokens.js").Text} right
 * @returns {Comparison}
 */
export function compare(left, right) {
  const [a, b, weight] = numbered(left, right);
  const comparison = { left: new Uint8Array(a.length), right: new Uint8Array(b.length), places: [], steps: 0 };
  const { moved } = align(left, right);
  const awayLeft = tokensOf(moved.map((pair) => left.blocks[pair.left]));
  const awayRight = tokensOf(moved.map((pair) => right.blocks[pair.right]));
  const side = (text, numbers, tokens) => ({ text, tokens, ids: Int32Array.from(tokens, (i) => numbers[i]) });
  const compareTokens = (some, others) => {
    compareRun(side(left, a, some), side(right, b, others), weight, comparison);
  };
  compareTokens(without(a.length, awayLeft), without(b.length, awayRight));
  for (const pair of moved) {
    compareTokens([...tokensOf([left.blocks[pair.left]])], [...tokensOf([right.blocks[pair.right]])]);
  }
  findMoved(a, b, weight, comparison);
  for (const place of comparison.places) {
    place.left = place.left.filter((i) => !comparison.left[i]);
    place.right = place.right.filter((j) => !comparison.right[j]);
  }
  comparison.places = comparison.places
    .filter((place) => place.left.length + place.right.length > 0)
    .sort((p, q) => p.leftAt - q.leftAt || p.rightAt - q.rightAt);
  comparison.counts = count(left, right, comparison);
  return comparison;
}

/** Tokens as whole numbers, and what a match of each weighs: a rare word 1, a common one less, signs 0. */
function numbered(left, right) {
  const numbers = new Map();
  const times = [];
  const isWord = [];
  const number = ({ key, word }) => {
    let id = numbers.get(key);
    if (id === undefined) {
      numbers.set(key, (id = times.length));
      times.push(0);
      isWord.push(word);
    }
    times[id]++;
    return id;
  };
  const a = Int32Array.from(left.tokens, number);
  const b = Int32Array.from(right.tokens, number);
  const all = a.length + b.length;
  const rarest = Math.log(all / 2);
  const weight = times.map((n, id) => {
    if (!isWord[id]) return 0;
    return rarest > 0 ? Math.min(1, Math.log(all / n) / rarest) : 1;
  });
  return [a, b, weight];
}

function tokensOf(blocks) {
  const found = new Set();
  for (const { first, last } of blocks) for (let i = first; i < last; i++) found.add(i);
  return found;
}

const without = (length, away) => Array.from({ length }, (_, i) => i).filter((i) => !away.has(i));

/** Match the tokens of one side with those of the other; note what is shared, and the places. */
function compareRun(left, right, weight, comparison) {
  const { partner, steps } = match(left.ids, right.ids);
  comparison.steps += steps;
  const runs = tidy(runsOf(partner, right.ids.length), left, right, weight);
  for (const { same, l0, l1, r0, r1 } of runs) {
    if (same) {
      for (let i = l0; i < l1; i++) comparison.left[left.tokens[i]] = 1;
      for (let j = r0; j < r1; j++) comparison.right[right.tokens[j]] = 1;
      continue;
    }
    comparison.places.push(...placesOf({ l0, l1, r0, r1 }, left, right));
  }
}

/** A difference as places of one block a side at most, in order: a person goes to them one by one. */
function placesOf({ l0, l1, r0, r1 }, left, right) {
  const [lefts, rights] = [partsOf(left, l0, l1), partsOf(right, r0, r1)];
  const inside = (side, i) => i > 0 && i < side.tokens.length && blockOf(side, i - 1) === blockOf(side, i);
  // What leads to the same words in the midst of a block belongs together.
  const isTail = lefts.length && rights.length && inside(left, l1) && inside(right, r1);
  const tail = isTail ? [[lefts.pop(), rights.pop()]] : [];
  const most = Math.max(lefts.length, rights.length);
  const [leftEnd, rightEnd] = isTail ? [tail[0][0][0], tail[0][1][0]] : [l1, r1];
  const pairs = Array.from({ length: most }, (_, k) => [lefts[k], rights[k]]).concat(tail);
  return pairs.map(([l = [leftEnd, leftEnd], r = [rightEnd, rightEnd]]) => ({
    left: left.tokens.slice(...l),
    right: right.tokens.slice(...r),
    leftAt: tokenAt(left, l[0]),
    rightAt: tokenAt(right, r[0]),
  }));
}

/** A stretch of tokens cut where blocks begin. */
function partsOf(side, from, to) {
  const parts = [];
  for (let i = from; i < to; i++) {
    if (i > from && blockOf(side, i) === blockOf(side, i - 1)) parts.at(-1)[1]++;
    else parts.push([i, i + 1]);
  }
  return parts;
}

const tokenAt = ({ text, tokens }, i) => tokens[i] ?? (i > 0 ? tokens[i - 1] + 1 : text.tokens.length);

/** The matches as runs, the same and different by turns. */
function runsOf(partner, length) {
  const runs = [];
  let [i, j] = [0, 0];
  while (i < partner.length || j < length) {
    const [l0, r0] = [i, j];
    while (i < partner.length && partner[i] < 0) i++;
    j = i < partner.length ? partner[i] : length;
    if (i > l0 || j > r0) runs.push({ same: false, l0, l1: i, r0, r1: j });
    const [l, r] = [i, j];
    while (i < partner.length && partner[i] === j) {
      i++;
      j++;
    }
    if (i > l) runs.push({ same: true, l0: l, l1: i, r0: r, r1: j });
  }
  return runs;
}

/** Long runs that are on both sides, but out of order, are shared after all. */
function findMoved(a, b, weight, { left, right }) {
  const starts = new Map();
  const key = (ids, shared, at) => {
    let found = "";
    for (let k = at; k < at + MOVED; k++) {
      if (k >= ids.length || shared[k]) return null;
      found += `${ids[k]} `;
    }
    return found;
  };
  for (let j = 0; j < b.length; j++) {
    const found = key(b, right, j);
    if (found === null) continue;
    if (!starts.has(found)) starts.set(found, [j]);
    else if (starts.get(found).length < SAME_START) starts.get(found).push(j);
  }
  for (let i = 0; i < a.length; i++) {
    const found = key(a, left, i);
    let [longest, at] = [0, -1];
    for (const j of (found !== null && starts.get(found)) || []) {
      let n = 0;
      while (i + n < a.length && j + n < b.length && a[i + n] === b[j + n] && !left[i + n] && !right[j + n]) n++;
      if (n > longest) [longest, at] = [n, j];
    }
    if (longest < MOVED) continue;
    let heft = 0;
    for (let k = 0; k < longest; k++) heft += weight[a[i + k]];
    if (heft >= MOVED_WEIGHT) {
      left.fill(1, i, i + longest);
      right.fill(1, at, at + longest);
    }
    i += longest - 1; // not every start within it, or a word said a thousand times takes a million steps
  }
}

function count(left, right, comparison) {
  const words = ({ tokens }, shared) => {
    const all = tokens.filter((token) => token.word).length;
    return [all, tokens.filter((token, i) => token.word && shared[i]).length];
  };
  const [allLeft, shared] = words(left, comparison.left);
  const [allRight, sharedRight] = words(right, comparison.right);
  return {
    shared,
    onlyLeft: allLeft - shared,
    onlyRight: allRight - sharedRight,
    share: allLeft + allRight > 0 ? (shared + sharedRight) / (allLeft + allRight) : 1,
    places: comparison.places.length,
  };
}
