// At which scroll positions two texts show the same.

const SPREAD = 0.2; // of the pane: over at least so much one pane skips what only the other has

/**
 * @typedef {{height: number, all: number, boxOf: (block: number) => {top: number, bottom: number}}} Scroller
 *   What is seen of a text and how high all of it is, in pixels, and where each of its blocks is.
 */

/**
 * Scroll positions of both panes at which paired blocks stand side by side: at a height in the pane that goes
 * from its top to its bottom as the texts go by, so that both reach their ends together.
 * @param {import("./alignment.js").Pair[]} pairs
 * @param {Scroller} left
 * @param {Scroller} right
 * @returns {[number, number][]} rising on both sides
 */
export function tiedPoints(pairs, left, right) {
  const marks = pairs.map((pair) => ({ pair, l: left.boxOf(pair.left), r: right.boxOf(pair.right) }));
  const level = [[0, 0]]; // heights of the same thing in the two texts
  marks.forEach(({ pair, l, r }, k) => {
    level.push([l.top, r.top]);
    const next = marks[k + 1];
    if (next && next.pair.left === pair.left + 1 && next.pair.right === pair.right + 1) return;
    // Up to its end a block stays beside its pair; then what only one of them has goes by.
    const after = next ? [next.l.top, next.r.top] : [left.all, right.all];
    const spread = SPREAD * Math.min(left.height, right.height);
    const room = Math.min(after[0] - l.bottom, after[1] - r.bottom);
    const short = Math.max(0, spread - room);
    const [tall, small] = [Math.max(l.bottom - l.top, r.bottom - r.top), Math.min(l.bottom - l.top, r.bottom - r.top)];
    const part = Math.max(0, 1 - short / small);
    if (tall > 0 && part > 0) level.push([l.top + part * (l.bottom - l.top), r.top + part * (r.bottom - r.top)]);
  });
  const height = Math.min(left.height, right.height);
  const ends = [left.all - left.height, right.all - right.height];
  const points = [[0, 0]];
  let [was, line] = [[0, 0], 0];
  for (const [l, r] of level) {
    // The line may sink only as fast as both texts go by, or one of them would turn back.
    const wanted = (height * (l / left.all + r / right.all)) / 2;
    line = Math.max(line, Math.min(wanted, line + 0.8 * Math.min(l - was[0], r - was[1])));
    was = [l, r];
    const [x, y] = [l - line, r - line];
    const [px, py] = points.at(-1);
    if (x >= px + 1 && y >= py + 1 && x <= ends[0] - 1 && y <= ends[1] - 1) points.push([x, y]);
  }
  points.push(ends);
  return points;
}

/**
 * Where the other pane belongs when one is at `top`: straight between the tied points.
 * @param {[number, number][]} points
 * @param {0 | 1} at the pane that is at `top`, left or right
 * @param {number} top
 * @returns {number}
 */
export function between(points, at, top) {
  let k = 1;
  while (k < points.length - 1 && points[k][at] < top) k++;
  const [from, to] = [points[k - 1], points[k]];
  const part = to[at] > from[at] ? (top - from[at]) / (to[at] - from[at]) : 1;
  return from[1 - at] + Math.max(0, Math.min(1, part)) * (to[1 - at] - from[1 - at]);
}
