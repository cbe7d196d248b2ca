// The longest common run of two sequences: Myers' O(ND) algorithm in linear space (Algorithmica 1, 1986),
// held to a bound. Long stretches are first cut at pairs of tokens that each has once (as "patience" does).

const LONG = 512; // tokens of both sides together, above which a stretch is first cut at its anchors
const MOST_EDITS = 128; // a search that needs more takes the furthest point it has reached

/**
 * Match two sequences of whole numbers.
 * @param {Int32Array} a
 * @param {Int32Array} b
 * @returns {{partner: Int32Array, steps: number}} for each of `a` its place in `b` or -1, rising; and the
 *   comparisons made, at most about `4 * MOST_EDITS * (a.length + b.length)`
 */
export function match(a, b) {
  const partner = new Int32Array(a.length).fill(-1);
  // What the other side lacks can never be matched.
  const keptA = present(a, new Set(b));
  const keptB = present(b, new Set(a));
  const search = new Search(keptA.map((i) => a[i]), keptB.map((j) => b[j]));
  search.solve(0, keptA.length, 0, keptB.length, true);
  search.partner.forEach((j, i) => {
    if (j >= 0) partner[keptA[i]] = keptB[j];
  });
  return { partner, steps: search.steps };
}

function present(sequence, other) {
  const kept = [];
  sequence.forEach((value, i) => {
    if (other.has(value)) kept.push(i);
  });
  return Int32Array.from(kept);
}

class Search {
  constructor(a, b) {
    this.a = a;
    this.b = b;
    this.partner = new Int32Array(a.length).fill(-1);
    this.steps = 0;
    // The furthest x on each diagonal x - y, shifted so that the lowest diagonal is at 1.
    this.shift = b.length + 1;
    this.ahead = new Int32Array(a.length + b.length + 3);
    this.behind = new Int32Array(a.length + b.length + 3);
  }

  /** Match a[x0..x1] with b[y0..y1]. */
  solve(x0, x1, y0, y1, anchored) {
    const { a, b, partner } = this;
    for (; x0 < x1 && y0 < y1 && a[x0] === b[y0]; x0++, y0++) partner[x0] = y0;
    for (; x0 < x1 && y0 < y1 && a[x1 - 1] === b[y1 - 1]; x1--, y1--) partner[x1 - 1] = y1 - 1;
    if (x0 === x1 || y0 === y1) return;
    if (anchored && x1 - x0 + y1 - y0 > LONG) {
      const anchors = this.anchors(x0, x1, y0, y1);
      for (const [x, y] of anchors) {
        this.solve(x0, x, y0, y, false);
        [x0, y0] = [x, y];
      }
      this.solve(x0, x1, y0, y1, false);
      return;
    }
    const [x, y] = this.middle(x0, x1, y0, y1);
    this.solve(x0, x, y0, y, false);
    this.solve(x, x1, y, y1, false);
  }

  /** A point that a shortest way from (x0, y0) to (x1, y1) goes through, or the furthest found. */
  middle(x0, x1, y0, y1) {
    const { a, b, ahead, behind, shift } = this;
    const lowest = x0 - y1;
    const highest = x1 - y0;
    const start = x0 - y0;
    const end = x1 - y1;
    const odd = ((start - end) & 1) !== 0;
    let [low, high, lowBack, highBack] = [start, start, end, end];
    ahead[start + shift] = x0;
    behind[end + shift] = x1;
    for (let edits = 1; ; edits++) {
      if (low > lowest) ahead[--low - 1 + shift] = -1;
      else low++;
      if (high < highest) ahead[++high + 1 + shift] = -1;
      else high--;
      for (let d = high; d >= low; d -= 2) {
        const [below, above] = [ahead[d - 1 + shift], ahead[d + 1 + shift]];
        let x = below < above ? above : below + 1;
        const from = x;
        while (x < x1 && x - d < y1 && a[x] === b[x - d]) x++;
        this.steps += 1 + x - from;
        ahead[d + shift] = x;
        if (odd && lowBack <= d && d <= highBack && behind[d + shift] <= x) return [x, x - d];
      }
      if (lowBack > lowest) behind[--lowBack - 1 + shift] = 0x7fffffff;
      else lowBack++;
      if (highBack < highest) behind[++highBack + 1 + shift] = 0x7fffffff;
      else highBack--;
      for (let d = highBack; d >= lowBack; d -= 2) {
        const [below, above] = [behind[d - 1 + shift], behind[d + 1 + shift]];
        let x = below < above ? below : above - 1;
        const from = x;
        while (x > x0 && x - d > y0 && a[x - 1] === b[x - d - 1]) x--;
        this.steps += 1 + from - x;
        behind[d + shift] = x;
        if (!odd && low <= d && d <= high && x <= ahead[d + shift]) return [x, x - d];
      }
      if (edits >= MOST_EDITS) return this.furthest(x0, x1, y0, y1, low, high);
    }
  }

  /** The point furthest from the start that the search has reached. */
  furthest(x0, x1, y0, y1, low, high) {
    let best = [x0, y0];
    for (let d = high; d >= low; d -= 2) {
      const x = Math.min(this.ahead[d + this.shift], x1, y1 + d);
      if (x >= x0 && x - d >= y0 && 2 * x - d > best[0] + best[1]) best = [x, x - d];
    }
    return best;
  }

  /** Where the two sides have the same two tokens in a row, each of them once, in rising order. */
  anchors(x0, x1, y0, y1) {
    const inB = once(this.b, y0, y1);
    const found = [];
    for (const [two, x] of once(this.a, x0, x1)) {
      const y = inB.get(two);
      if (x >= 0 && y >= 0) found.push([x, y]);
    }
    return rising(found.sort((p, q) => p[0] - q[0]));
  }
}

/** Each two tokens in a row, with the place where they are, or -1 if there are several. */
function once(sequence, from, to) {
  const found = new Map();
  for (let i = from; i + 1 < to; i++) {
    const two = sequence[i] * 0x200000 + sequence[i + 1];
    found.set(two, found.has(two) ? -1 : i);
  }
  return found;
}

/** The longest chain of points, sorted by x, that rises in y too (patience sorting). */
function rising(points) {
  const tops = [];
  for (const [x, y] of points) {
    let [low, high] = [0, tops.length];
    while (low < high) {
      const half = (low + high) >> 1;
      if (tops[half].y < y) low = half + 1;
      else high = half;
    }
    tops[low] = { x, y, before: tops[low - 1] };
  }
  const chain = [];
  for (let top = tops.at(-1); top; top = top.before) chain.push([top.x, top.y]);
  return chain.reverse();
}
