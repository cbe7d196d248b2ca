// Marks on a text that leave it as it is: the CSS Custom Highlight API, so that the page's elements, the
// selection and what is copied stay the same. A browser without it gets <mark> elements, taken away again.

import { piecesOf, rangesOf } from "./stretches.js";

const FORMULA = "data-marked"; // a formula's signs stand too far apart to be underlined: it is marked as one

const native = () => "highlights" in CSS && typeof Highlight === "function";

/**
 * Mark stretches of text under a name, instead of what had that name: `::highlight(name)`, `mark.name`,
 * and `[data-marked~=name]` on formulas.
 * @param {string} name
 * @param {import("./stretches.js").Stretch[]} stretches in the order of the page
 * @param {number} priority of marks that lie over each other, the higher wins
 * @returns {boolean} whether the page's elements have changed, so that its text must be read again
 */
export function mark(name, stretches, priority = 0) {
  unmark(name);
  for (const stretch of stretches) {
    for (const piece of piecesOf(stretch)) if (piece.formula) addName(piece.node, name);
  }
  if (native()) {
    const highlight = new Highlight();
    for (const stretch of stretches) rangesOf(stretch, { formulas: false }).forEach((range) => highlight.add(range));
    highlight.priority = priority;
    CSS.highlights.set(name, highlight);
  } else wrap(name, stretches);
  return !native();
}

/**
 * Take the marks of a name away.
 * @param {string} name
 * @returns {boolean} whether the page's elements have changed
 */
export function unmark(name) {
  if (native()) CSS.highlights.delete(name);
  for (const formula of document.querySelectorAll(`[${FORMULA}~="${name}"]`)) {
    const left = formula.getAttribute(FORMULA).split(" ").filter((each) => each !== name);
    if (left.length) formula.setAttribute(FORMULA, left.join(" "));
    else formula.removeAttribute(FORMULA);
  }
  const wrapped = document.querySelectorAll(`mark.${name}`);
  for (const each of wrapped) {
    const parent = each.parentNode;
    each.replaceWith(...each.childNodes);
    parent.normalize();
  }
  return wrapped.length > 0;
}

/** Last first: the node that is split keeps what stands before, with the offsets it had. */
function wrap(name, stretches) {
  for (const { node, start, end, formula } of stretches.flatMap(piecesOf).reverse()) {
    if (formula) continue;
    node.splitText(end);
    const inner = node.splitText(start);
    const element = document.createElement("mark");
    element.className = name;
    inner.replaceWith(element);
    element.append(inner);
    element.parentNode.normalize();
  }
}

function addName(formula, name) {
  formula.setAttribute(FORMULA, [formula.getAttribute(FORMULA), name].filter(Boolean).join(" "));
}
