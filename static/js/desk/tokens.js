// The words of a text as a pane shows it, each with its place in the page.
//
// A text is blocks (paragraphs, list items, table rows, lines of code and of verse), and a block is tokens: words,
// whole numbers, single marks of punctuation, whole formulas. Markup inside a block cuts no word in two.

const BLOCK = new Set(
  "ADDRESS BLOCKQUOTE DD DIV DL DT FIGURE H1 H2 H3 H4 H5 H6 HR LI OL P PRE SECTION TABLE TBODY THEAD TR UL".split(" "),
);
const ASIDE = "button, script, style, [hidden], [aria-hidden='true'], .visually-hidden"; // not of the text

// A picture with its joiners; a word with inner apostrophes, or a number with inner marks; any other sign.
const TOKEN =
  /\p{Extended_Pictographic}(?:\uFE0F|\p{Emoji_Modifier}|\u200D\p{Extended_Pictographic})*|[\p{L}\p{M}\p{N}\p{Pc}\u200C\u200D]+(?:['’](?=\p{L})[\p{L}\p{M}]+|(?<=\p{N})[.,:](?=\p{N})[\p{L}\p{M}\p{N}]+)*|\S/gu;
const WORD = /[\p{L}\p{N}]/u;
// Scripts that put no space between words.
const UNSPACED =
  /[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}]/u;
const segmenter = "Segmenter" in Intl ? new Intl.Segmenter(undefined, { granularity: "word" }) : null;

/**
 * What a pane shows: its text as written in the raw view, else the rendered text.
 * @param {Element} pane
 * @returns {HTMLElement}
 */
export function shownIn(pane) {
  const raw = pane.querySelector("pre.raw-text");
  return raw && !raw.hidden ? raw : pane.querySelector(".prose") ?? raw;
}

/**
 * @typedef {{node: Node, at: number, start: number, end: number, formula: boolean}} Piece
 *   A stretch `start..end` of a block's text, and the node and offset where it begins.
 * @typedef {{element: Element, text: string, pieces: Piece[], first: number, last: number}} Block
 *   Its tokens are `first..last`, `last` not included.
 * @typedef {{key: string, word: boolean, block: Block, start: number, end: number}} Token
 *   Equal keys are the same token, whatever the form of their apostrophes.
 * @typedef {{blocks: Block[], tokens: Token[]}} Text
 */

/**
 * The blocks and tokens of a rendered or a raw text.
 * @param {HTMLElement} root
 * @returns {Text}
 */
export function readText(root) {
  const blocks = [];
  const tokens = [];
  let pieces = [];
  let text = "";

  function close(element) {
    if (text.trim()) {
      const block = { element, text, pieces, first: tokens.length, last: 0 };
      tokenise(block, tokens);
      block.last = tokens.length;
      if (block.last > block.first) blocks.push(block);
    }
    pieces = [];
    text = "";
  }

  function add(node, at, value, formula = false) {
    pieces.push({ node, at, start: text.length, end: text.length + value.length, formula });
    text += value;
  }

  function addLines(node, element) {
    let at = 0;
    for (const line of node.data.split("\n")) {
      if (at > 0) close(element);
      if (line) add(node, at, line);
      at += line.length + 1;
    }
  }

  function visit(parent, element, lines) {
    for (const node of parent.childNodes) {
      if (node.nodeType === Node.TEXT_NODE) {
        if (lines) addLines(node, element);
        else if (node.data) add(node, 0, node.data);
      } else if (node.nodeType !== Node.ELEMENT_NODE) continue;
      else if (node.classList.contains("math")) {
        if (BLOCK.has(node.tagName)) close(element);
        add(node, 0, sourceOf(node), true);
        if (BLOCK.has(node.tagName)) close(node);
      } else if (node.matches(ASIDE)) continue;
      else if (BLOCK.has(node.tagName)) {
        close(element);
        visit(node, node, lines || node.tagName === "PRE");
        close(node);
      } else {
        if (node.tagName === "BR") close(element);
        if (node.tagName === "TD" || node.tagName === "TH") text += " ";
        visit(node, element, lines);
      }
    }
  }

  visit(root, root, root.tagName === "PRE");
  close(root);
  return { blocks, tokens };
}

/** A formula is its TeX source, before KaTeX has been over it and after. */
function sourceOf(math) {
  const source = math.dataset.tex ?? math.querySelector("annotation")?.textContent ?? math.textContent;
  return source.trim().replace(/\s+/g, " ") || " ";
}

function tokenise(block, tokens) {
  let start = 0;
  for (const piece of block.pieces) {
    if (!piece.formula) continue;
    words(block, start, piece.start, tokens);
    const key = `TeX ${block.text.slice(piece.start, piece.end)}`;
    tokens.push({ key, word: true, block, start: piece.start, end: piece.end });
    start = piece.end;
  }
  words(block, start, block.text.length, tokens);
}

function words(block, from, to, tokens) {
  for (const { 0: found, index } of block.text.slice(from, to).matchAll(TOKEN)) {
    const start = from + index;
    if (!UNSPACED.test(found)) push(block, start, found, tokens);
    else for (const [at, part] of unspaced(found)) push(block, start + at, part, tokens);
  }
}

function unspaced(run) {
  if (segmenter) return Array.from(segmenter.segment(run), ({ index, segment }) => [index, segment]);
  let at = 0;
  return Array.from(run, (sign) => [(at += sign.length) - sign.length, sign]);
}

function push(block, start, found, tokens) {
  const isPlain = /^[\x20-\x7e]+$/.test(found);
  const key = isPlain ? found : found.normalize("NFC").replace(/[‘’]/g, "'").replace(/[“”]/g, '"');
  tokens.push({ key, word: WORD.test(found), block, start, end: start + found.length });
}
