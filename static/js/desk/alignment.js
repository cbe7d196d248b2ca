// Which block of one text stands for which block of the other: by the words that they share, rare words
// counting more. The pairs keep their order (a chain of greatest gain); what was moved is paired afterwards.

const LIKENESS = 0.3; // below this two blocks have nothing but common words in common
const MOVED_LIKENESS = 0.6; // out of order, only what is nearly the same is the same block
const MOVED_WORDS = 3; // short blocks are alike by chance
const CANDIDATES = 8; // partners that are considered for one block
const COMMON = 64; // a word in more blocks of one text than this aligns nothing; bounds the work

/**
 * @typedef {{left: number, right: number, likeness: number}} Pair
 *   Places in the two lists of blocks; `likeness` from 0 to 1.
 */

/**
 * Pair the blocks of two texts. Work and memory grow with the number of words, at most `COMMON` times
 * it, never with the product of the numbers of blocks.
 * @param {import("./tokens.js").Text} left
 * @param {import("./tokens.js").Text} right
 * @returns {{pairs: Pair[], moved: Pair[]}} `pairs` in the order of both texts, `moved` in that of the left
 */
export function align(left, right) {
  const candidates = alike(bagsOf(left), bagsOf(right));
  const pairs = chain(candidates, right.blocks.length);
  const taken = { left: new Set(pairs.map((p) => p.left)), right: new Set(pairs.map((p) => p.right)) };
  const moved = [];
  for (const pair of candidates.toSorted((a, b) => b.gain - a.gain)) {
    if (pair.likeness < MOVED_LIKENESS || pair.words < MOVED_WORDS) continue;
    if (taken.left.has(pair.left) || taken.right.has(pair.right)) continue;
    taken.left.add(pair.left);
    taken.right.add(pair.right);
    moved.push(pair);
  }
  const plain = ({ left, right, likeness }) => ({ left, right, likeness });
  return { pairs: pairs.map(plain), moved: moved.sort((a, b) => a.left - b.left).map(plain) };
}

/** How often each word is in each block. */
function bagsOf({ blocks, tokens }) {
  return blocks.map(({ first, last }) => {
    const bag = new Map();
    for (let i = first; i < last; i++) {
      if (tokens[i].word) bag.set(tokens[i].key, (bag.get(tokens[i].key) ?? 0) + 1);
    }
    return bag;
  });
}

function blocksWith(bags) {
  const found = new Map();
  bags.forEach((bag, i) => {
    for (const word of bag.keys()) {
      if (found.has(word)) found.get(word).push(i);
      else found.set(word, [i]);
    }
  });
  return found;
}

/** The best partners of every left block, with the likeness and what the pair would gain. */
function alike(left, right) {
  const inLeft = blocksWith(left);
  const inRight = blocksWith(right);
  const all = left.length + right.length;
  const many = (word) => (inLeft.get(word)?.length ?? 0) + (inRight.get(word)?.length ?? 0);
  const weight = (word) => Math.log(1 + all / many(word));
  const heft = (bag) => [...bag].reduce((sum, [word, times]) => sum + times * weight(word), 0);
  const heftRight = right.map(heft);
  const candidates = [];
  const sharedWeight = new Float64Array(right.length);
  const sharedWords = new Uint32Array(right.length);
  left.forEach((bag, i) => {
    const partners = [];
    for (const [word, times] of bag) {
      const places = inRight.get(word);
      if (!places || places.length > COMMON || inLeft.get(word).length > COMMON) continue;
      const each = weight(word);
      for (const j of places) {
        const both = Math.min(times, right[j].get(word));
        if (!sharedWords[j]) partners.push(j);
        sharedWords[j] += both;
        sharedWeight[j] += both * each;
      }
    }
    const heftLeft = heft(bag);
    const found = [];
    for (const j of partners) {
      const likeness = sharedWeight[j] / Math.sqrt(heftLeft * heftRight[j]);
      // Among equals (the same line many times) the one at the same height of its text.
      const gain = sharedWeight[j] * likeness * (1 - Math.abs(i / left.length - j / right.length) / 10);
      if (likeness >= LIKENESS) found.push({ left: i, right: j, likeness, words: sharedWords[j], gain });
      sharedWeight[j] = sharedWords[j] = 0;
    }
    candidates.push(...found.sort((a, b) => b.gain - a.gain).slice(0, CANDIDATES));
  });
  return candidates;
}

/**
 * The chain of greatest gain that rises in both texts. `best` is a tree of prefix maxima over the right
 * blocks (Fenwick 1994), so that k candidates take k log m steps.
 */
function chain(candidates, blocks) {
  const best = new Array(blocks + 1).fill(null);
  let at = 0;
  while (at < candidates.length) {
    const links = [];
    for (const { left } = candidates[at]; at < candidates.length && candidates[at].left === left; at++) {
      const pair = candidates[at];
      let before = null;
      for (let k = pair.right; k > 0; k -= k & -k) {
        if (best[k] && (!before || best[k].total > before.total)) before = best[k];
      }
      links.push({ pair, before, total: pair.gain + (before?.total ?? 0) });
    }
    for (const link of links) {
      for (let k = link.pair.right + 1; k <= blocks; k += k & -k) {
        if (!best[k] || link.total > best[k].total) best[k] = link;
      }
    }
  }
  let last = null;
  for (let k = blocks; k > 0; k -= k & -k) {
    if (best[k] && (!last || best[k].total > last.total)) last = best[k];
  }
  const pairs = [];
  for (; last; last = last.before) pairs.push(last.pair);
  return pairs.reverse();
}
