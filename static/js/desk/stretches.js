// Where the words of a text stand in the page: as pieces of its nodes, as ranges, as boxes on the screen.

/**
 * @typedef {{block: import("./tokens.js").Block, start: number, end: number}} Stretch
 *   A part of a block's text.
 */

/**
 * Where the tokens `from..to` stand: one entry for each block that they touch.
 * @param {import("./tokens.js").Text} text
 * @param {number} from
 * @param {number} to not included
 * @returns {Stretch[]}
 */
export function stretches(text, from, to) {
  const found = [];
  for (let i = from; i < to; i++) {
    const { block, start, end } = text.tokens[i];
    const last = found.at(-1);
    if (last?.block === block) last.end = end;
    else found.push({ block, start, end });
  }
  return found;
}

/**
 * A stretch of a block piece by piece: text nodes with offsets, and whole formulas.
 * @param {Stretch} stretch
 * @returns {{node: Node, start: number, end: number, formula: boolean}[]}
 */
export function piecesOf({ block, start, end }) {
  const found = [];
  for (const piece of block.pieces) {
    const from = Math.max(start, piece.start);
    const to = Math.min(end, piece.end);
    if (from >= to) continue;
    const shift = piece.at - piece.start;
    found.push({ node: piece.node, start: from + shift, end: to + shift, formula: piece.formula });
  }
  return found;
}

/**
 * A stretch as ranges of the page; a formula is a range of its own where `formulas` is set, else left out.
 * @param {Stretch} stretch
 * @param {{formulas?: boolean}} [options]
 * @returns {Range[]}
 */
export function rangesOf(stretch, { formulas = true } = {}) {
  const ranges = [];
  let range = null;
  for (const { node, start, end, formula } of piecesOf(stretch)) {
    if (formula) {
      range = null;
      if (!formulas) continue;
      ranges.push(document.createRange());
      ranges.at(-1).selectNode(node);
      continue;
    }
    if (!range) {
      ranges.push((range = document.createRange()));
      range.setStart(node, start);
    }
    range.setEnd(node, end);
  }
  return ranges;
}

/**
 * Where a stretch stands on the screen.
 * @param {Stretch} stretch
 * @returns {{top: number, bottom: number, left: number, right: number, node: Node}} and the node it begins in
 */
export function placeOf(stretch) {
  const ranges = rangesOf(stretch);
  const [first, last] = [ranges[0], ranges.at(-1)].map((range) => range.getBoundingClientRect());
  const { left, right } = first;
  return { top: first.top, bottom: last.bottom, left, right, node: ranges[0].startContainer };
}
