// What rendered text needs beyond its HTML: typeset mathematics, buttons that copy code, and a
// place in the order of Tab for what scrolls sideways.

import { gettext } from "./words.js";

const MOST_TEX = 2500; // characters; the server's bound too
const MOST_DEPTH = 120; // of boxes in one formula; a fraction of fractions of fractions has 40
const DEFINES = /\\(?:[egx]?def|let|futurelet|(?:re)?newcommand|providecommand)(?![A-Za-z])/;
const MOST_SECONDS = 2; // of typesetting for one comparison; what is left stays TeX
const INLINE_MATH = ".math:not(.display)";
// Each in this very form: the names of published files are put in (pairselect/fingerprints.py).
const KATEX = new URL("../../vendor/katex/katex.min.js", import.meta.url);
const KATEX_STYLES = new URL("../../vendor/katex/katex.min.css", import.meta.url);
const OPTIONS = {
  output: "htmlAndMathml", // the MathML is for screen readers
  trust: false,
  strict: "ignore",
  throwOnError: true, // TeX that is wrong stays as it was written
  maxSize: 10,
};

let loading = null;

function fetchInto(tag, attributes) {
  return new Promise((resolve, reject) => {
    const element = Object.assign(document.createElement(tag), attributes);
    element.addEventListener("load", resolve);
    element.addEventListener("error", () => { element.remove(); reject(new Error(tag)); });
    document.head.append(element);
  });
}

// A failed import() is remembered as failed for as long as the page lives; a script can be tried again.
function load() {
  loading ??= Promise.all([
    fetchInto("script", { src: KATEX.href }),
    fetchInto("link", { rel: "stylesheet", href: KATEX_STYLES.href }),
  ]).then(() => globalThis.katex);
  loading.catch(() => { loading = null; });
  return loading;
}

// KaTeX writes a few style attributes (\pmb, \fcolorbox), which the policy refuses and reports.
// Some hundred boxes in one another bring a browser's layout down, the whole tab with it.
function tame(node, depth = 0) {
  if (depth > MOST_DEPTH) throw new Error(gettext("nested too deeply"));
  if (node.attributes) delete node.attributes.style;
  node.children?.forEach((child) => tame(child, depth + 1));
  return node;
}

function typeset(katex, element) {
  const tex = element.textContent;
  element.dataset.tex = tex;
  // A marker of something invisible is no TeX. A macro can make a book of forty characters.
  const suspect = tex.length > MOST_TEX || DEFINES.test(tex) || element.querySelector(".invisible");
  const displayMode = element.classList.contains("display");
  try {
    if (suspect) throw new Error(gettext("not typeset"));
    const tree = katex.__renderToDomTree(tex, { ...OPTIONS, displayMode });
    element.replaceChildren(tame(tree).toNode());
  } catch (error) {
    element.classList.add("failed");
    element.title = error.message;
  }
}

/**
 * Typeset the formulas in an element, attached or not. Each keeps its source in `data-tex`; one
 * that KaTeX does not understand stays TeX.
 *
 * @param {Element} root a desk, a turn, the guidelines
 * @returns {Promise<number>} how many formulas were tried
 */
export async function typesetMath(root) {
  const found = [...root.querySelectorAll(".math:not([data-tex])")];
  if (!found.length) return 0;
  let katex;
  try {
    katex = await load();
  } catch {
    return 0; // the source is there to be read
  }
  const end = performance.now() + 1000 * MOST_SECONDS;
  for (const element of found) {
    if (performance.now() > end) break;
    if (!("tex" in element.dataset)) typeset(katex, element);
  }
  return found.length;
}

// http on a local network has no navigator.clipboard; the old way needs a selection.
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.readOnly = true;
    Object.assign(field.style, { position: "fixed", opacity: "0", whiteSpace: "pre" });
    const had = document.activeElement;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    had?.focus({ preventScroll: true });
    return done;
  }
}

async function copyCode(button) {
  const done = await copy(button.parentElement.querySelector("pre").textContent);
  const said = done ? gettext("Copied") : gettext("Copying did not work. Please select the text.");
  button.dataset.label = done ? said : gettext("Copy");
  const live = document.getElementById("desk-live");
  if (live) {
    live.textContent = "";
    setTimeout(() => { live.textContent = said; }, 60); // the same words twice are said twice
  }
  setTimeout(() => { button.dataset.label = gettext("Copy"); }, 2000);
}

/**
 * Give each block of code a frame with its language's name and a button that copies it. The words
 * are attributes that CSS shows, so that the text of the completion stays the completion's.
 *
 * @param {Element} root an element, attached or not
 */
export function addCopyButtons(root) {
  root.querySelectorAll(".prose pre.highlight").forEach((pre) => {
    if (pre.parentElement.classList.contains("code-frame")) return;
    const frame = document.createElement("div");
    frame.className = "code-frame";
    frame.dataset.language = pre.dataset.language ?? "";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "code-copy";
    button.dataset.label = gettext("Copy");
    button.setAttribute("aria-label", gettext("Copy this code"));
    button.addEventListener("click", () => copyCode(button));
    pre.replaceWith(frame);
    frame.append(pre, button);
  });
}

/**
 * Put what scrolls sideways into the order of Tab, and take out what does not. Needs layout: call
 * it once the element is on the page, and when the width changed.
 *
 * @param {Element} root an element on the page
 */
export function openScrollers(root) {
  const found = [...root.querySelectorAll(".prose :is(pre, table, .math)")];
  // All is measured before anything is changed: one layout, not one for each. A formula in a line
  // may lean out of its box by a little; it scrolls where it is wider than the block it stands in.
  const wide = found.map((each) => {
    const frame = each.matches(INLINE_MATH) ? each.closest("p, li, td, th, h3, h4, h5, h6, .prose") : each;
    return each.scrollWidth > frame.clientWidth + 1;
  });
  found.forEach((each, at) => {
    if (each.matches(INLINE_MATH)) each.classList.toggle("wide", wide[at]);
    if (wide[at]) each.tabIndex = 0;
    else each.removeAttribute("tabindex");
  });
}

/** Tell a screen reader levels without a gap below the pane's heading; all looks as it was written. */
function orderHeadings(root) {
  root.querySelectorAll(".prose").forEach((prose) => {
    const above = [];
    prose.querySelectorAll("h3, h4, h5, h6").forEach((heading) => {
      while (above.at(-1) >= heading.localName) above.pop();
      above.push(heading.localName);
      heading.setAttribute("aria-level", String(2 + above.length));
    });
  });
}

/**
 * Make a desk ready that need not be on the page yet: code, headings and masked
 * names at once, formulas when KaTeX is there.
 *
 * @param {Element} root
 * @returns {Promise<number>} fulfilled when its formulas are typeset
 */
export function finish(root) {
  addCopyButtons(root);
  orderHeadings(root);
  root.querySelectorAll(".masked").forEach((each) => {
    each.setAttribute("role", "img");
    each.setAttribute("aria-label", gettext("name hidden"));
  });
  return typesetMath(root);
}
