// A match of words made readable. The shortest list of differences is full of crumbs: an "of" that both have,
// between two sentences that have nothing to do with each other.

const FAINT = 3; // a shared run that weighs less, between differences that weigh more than it, is chance

/**
 * @typedef {{text: import("./tokens.js").Text, tokens: number[], ids: Int32Array}} Side
 *   Some tokens of a text, and a number for each that is the same for equal tokens.
 * @typedef {{same: boolean, l0: number, l1: number, r0: number, r1: number}} Run
 *   Left tokens `l0..l1` beside right tokens `r0..r1`, ends not included.
 */

/**
 * Runs that a person can read: differences that begin where sentences do, no crumbs between them.
 * @param {Run[]} runs of a match
 * @param {Side} left
 * @param {Side} right
 * @param {number[]} weight of each number in `ids`
 * @returns {Run[]}
 */
export function tidy(runs, left, right, weight) {
  runs.forEach((run, k) => {
    if (run.same) return;
    const around = { before: runs[k - 1], after: runs[k + 1], isFirst: k <= 1, isLast: k >= runs.length - 2 };
    if (run.l0 === run.l1) slide(run, around, right, "r");
    if (run.r0 === run.r1) slide(run, around, left, "l");
  });
  const kept = [];
  for (const run of inBlocks(runs.filter(isSome), left, right)) {
    kept.push(run);
    // A crumb joins the differences around it to one, which may make a crumb of the run before.
    while (!run.same && kept.length > 2) {
      const [before, shared, after] = kept.slice(-3);
      if (!isCrumb(before, shared, after, left, right, weight)) break;
      kept.splice(-3, 3, { ...before, l1: after.l1, r1: after.r1 });
    }
  }
  return kept.filter(isSome);
}

const isSome = ({ l0, l1, r0, r1 }) => l0 < l1 || r0 < r1;

/** Shared runs cut where a block begins on both sides; every one has a difference, maybe empty, on each side. */
function inBlocks(runs, left, right) {
  const cut = [];
  const gap = (l, r) => ({ same: false, l0: l, l1: l, r0: r, r1: r });
  const begins = (side, i) => blockOf(side, i).first === side.tokens[i];
  for (const run of runs) {
    if (!run.same) {
      cut.push(run);
      continue;
    }
    let from = 0;
    for (let k = 1; k <= run.l1 - run.l0; k++) {
      const [l, r] = [run.l0 + k, run.r0 + k];
      if (l < run.l1 && !(begins(left, l) && begins(right, r))) continue;
      if (!cut.length || cut.at(-1).same) cut.push(gap(run.l0 + from, run.r0 + from));
      cut.push({ same: true, l0: run.l0 + from, l1: l, r0: run.r0 + from, r1: r });
      from = k;
    }
  }
  if (cut.at(-1)?.same) cut.push(gap(cut.at(-1).l1, cut.at(-1).r1));
  return cut;
}

/**
 * Whether a shared run is so little beside the differences around it that to show it as shared would only
 * distract. Only what stands in the same block counts: a difference in the paragraph before is no neighbour.
 */
function isCrumb(before, shared, after, left, right, weight) {
  const heft = ({ ids }, from, to) => {
    let sum = 0;
    for (let i = from; i < to && sum < FAINT; i++) sum += weight[ids[i]];
    return sum;
  };
  const sides = [
    { side: left, low: before.l0, from: shared.l0, to: shared.l1, high: after.l1 },
    { side: right, low: before.r0, from: shared.r0, to: shared.r1, high: after.r1 },
  ].map(({ side, low, from, to, high }) => {
    const start = Math.max(low, from - side.tokens[from] + blockOf(side, from).first);
    const end = Math.min(high, to - 1 - side.tokens[to - 1] + blockOf(side, to - 1).last);
    return { tokens: [from - start, end - to], heft: [heft(side, start, from), heft(side, to, end)] };
  });
  const [was, comes] = [0, 1].map((k) => Math.max(sides[0].heft[k], sides[1].heft[k]));
  const [first, last] = [0, 1].map((k) => sides[0].tokens[k] <= 0 && sides[1].tokens[k] <= 0);
  const own = heft(left, shared.l0, shared.l1);
  if ((first && last) || isWhole(shared, left, right)) return false;
  // "The" before, or the full stop after a sentence that is all different.
  if (first || last) return own <= 1 && Math.max(was, comes) >= FAINT;
  return own === 0 ? was + comes > 0 : own < FAINT && own < Math.min(was, comes);
}

/**
 * @param {Side} side
 * @param {number} i place in `side.tokens`
 * @returns {import("./tokens.js").Block}
 */
export const blockOf = ({ text, tokens }, i) => text.tokens[tokens[i]].block;

/** Whether a shared run is a block of its own on both sides: an equal list item, an equal line of code. */
function isWhole({ l0, l1, r0, r1 }, left, right) {
  const whole = (side, from, to) => {
    const { first, last } = blockOf(side, from);
    return first === side.tokens[from] && last === side.tokens[to - 1] + 1;
  };
  return whole(left, l0, l1) && whole(right, r0, r1);
}

/**
 * Move an insertion along words that repeat, to begin where a sentence does: "A b. [A c.] D" and not
 * "A b[. A c]. D".
 */
function slide(run, { before, after, isFirst, isLast }, { ids, text, tokens }, side) {
  const [from, to] = [`${side}0`, `${side}1`];
  let [best, highest] = [0, boundary(text, tokens[run[from]])];
  for (const [step, room, isEnd] of [[-1, before, isFirst], [1, after, isLast]]) {
    // A run between two differences keeps a token, or they would be one.
    const most = room ? room.l1 - room.l0 - (isEnd ? 0 : 1) : 0;
    for (let k = step; Math.abs(k) <= most; k += step) {
      const edge = step < 0 ? k : k - 1;
      if (ids[run[from] + edge] !== ids[run[to] + edge]) break;
      const here = boundary(text, tokens[run[from] + k]);
      if (here > highest) [best, highest] = [k, here];
    }
  }
  if (!best) return;
  for (const each of ["l0", "l1", "r0", "r1"]) run[each] += best;
  if (before) [before.l1, before.r1] = [before.l1 + best, before.r1 + best];
  if (after) [after.l0, after.r0] = [after.l0 + best, after.r0 + best];
}

/** How good a place the gap before a token is to begin a difference. */
function boundary(text, i) {
  const [before, token] = [text.tokens[i - 1], text.tokens[i]];
  if (!before || before.block !== token.block) return 4;
  if (/[.!?。！？؟।]/u.test(before.key) && !before.word) return 3;
  if (!before.word) return 2;
  return before.end < token.start ? 1 : 0;
}
