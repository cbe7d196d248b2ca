// Synchronised scrolling: what stands for each other in the two panes stands side by side.
//
// The two scroll positions are tied at points: both tops, each pair of blocks, both ends; between two points
// they move in proportion. The pane that the person moves leads, the other is put where it belongs.

import { align } from "./alignment.js";
import { placeOf } from "./stretches.js";
import { between, tiedPoints } from "./tied.js";
import { readText, shownIn } from "./tokens.js";

const SIDES = ["left", "right"];
const OTHER = { left: "right", right: "left" };
const LEAD_MS = 150; // so long after it moved, a pane keeps the lead against what was not done by hand
const ROUNDING = 2; // px: a browser may round a scroll position

/** @type {WeakMap<Element, Link>} */
const links = new WeakMap();

/**
 * Tie the scrolling of a desk's two panes, or untie it. A desk that waits may be tied before it is shown. Call
 * it again after the raw view was switched.
 * @param {Element} desk
 * @param {{on: boolean}} options
 */
export function scrollTogether(desk, { on }) {
  links.get(desk)?.end();
  links.delete(desk);
  const bodies = SIDES.map((side) => desk.querySelector(`.pane[data-side="${side}"] .pane-body`));
  if (on && bodies.every(Boolean)) links.set(desk, new Link(desk, bodies));
}

/**
 * Put panes at scroll positions of their own, tied or not.
 * @param {Element} desk
 * @param {{left?: number, right?: number}} tops
 */
export function placePanes(desk, tops) {
  const link = links.get(desk);
  for (const [side, top] of Object.entries(tops)) {
    const body = desk.querySelector(`.pane[data-side="${side}"] .pane-body`);
    if (link) link.put(side, top);
    else body.scrollTo({ top, behavior: "instant" });
  }
}

class Link {
  constructor(desk, [left, right]) {
    this.desk = desk;
    this.bodies = { left, right };
    this.placed = { left: null, right: null }; // where this file has put a pane: its scroll event is no lead
    this.lead = { side: "left", until: 0 };
    this.points = null; // [left, right] scroll positions, rising; null when the layout has changed
    this.texts = null;
    this.wasShown = false;
    this.listening = new AbortController();
    const options = { passive: true, signal: this.listening.signal };
    for (const side of SIDES) {
      const body = this.bodies[side];
      body.addEventListener("scroll", () => this.moved(side), options);
      for (const byHand of ["wheel", "touchstart", "pointerdown", "keydown"]) {
        body.addEventListener(byHand, () => this.take(side), options);
      }
    }
    // Fonts, formulas, the window: whatever changes a height ends here.
    this.watch = new ResizeObserver(() => this.changed());
    for (const side of SIDES) {
      this.watch.observe(this.bodies[side]);
      for (const child of this.bodies[side].children) this.watch.observe(child);
    }
  }

  end() {
    this.listening.abort();
    this.watch.disconnect();
  }

  take(side) {
    this.lead = { side, until: performance.now() + LEAD_MS };
    this.placed[side] = null;
  }

  changed() {
    this.points = null;
    if (this.desk.isConnected) {
      this.wasShown = true;
      // A fresh comparison stands at its top: nothing is measured before it is scrolled.
      if (SIDES.some((side) => this.bodies[side].scrollTop > 0)) this.follow(this.lead.side);
    } else if (this.wasShown) this.end();
  }

  moved(side) {
    const put = this.placed[side];
    if (put !== null && Math.abs(this.bodies[side].scrollTop - put) <= ROUNDING) return;
    const now = performance.now();
    if (this.lead.side !== side && now < this.lead.until) return;
    this.lead = { side, until: now + LEAD_MS };
    this.placed[side] = null;
    this.follow(side);
  }

  /** Put the other pane beside the one that leads. */
  follow(side) {
    const other = OTHER[side];
    const most = this.roomOf(other);
    if (this.roomOf(side) <= 0 || most <= 0) return;
    this.points ??= this.tie();
    const at = side === "left" ? 0 : 1;
    const top = between(this.points, at, this.bodies[side].scrollTop);
    this.put(other, top);
  }

  put(side, top) {
    const body = this.bodies[side];
    const to = Math.max(0, Math.min(top, this.roomOf(side)));
    if (Math.abs(body.scrollTop - to) >= 0.5) body.scrollTo({ top: to, behavior: "instant" });
    this.placed[side] = body.scrollTop;
  }

  roomOf(side) {
    const { scrollHeight, clientHeight } = this.bodies[side];
    return scrollHeight - clientHeight;
  }

  /** The tied scroll positions, from the pairs of blocks and where they are now. */
  tie() {
    const shown = SIDES.map((side) => shownIn(this.bodies[side]));
    const stale = !this.texts || shown.some((root, k) => {
      const { root: known, text } = this.texts[SIDES[k]];
      return known !== root || text.blocks.some(({ pieces }) => !root.contains(pieces[0].node));
    });
    if (stale) {
      const [left, right] = shown.map((root) => ({ root, text: readText(root) }));
      this.texts = { left, right };
      this.pairs = align(left.text, right.text).pairs;
    }
    const [left, right] = SIDES.map((side) => ({
      height: this.bodies[side].clientHeight,
      all: this.bodies[side].scrollHeight,
      boxOf: (i) => this.boxOf(side, i),
    }));
    return tiedPoints(this.pairs, left, right);
  }

  /** Top and bottom of a block in the pane's scrolled content. */
  boxOf(side, i) {
    const body = this.bodies[side];
    const block = this.texts[side].text.blocks[i];
    const box = placeOf({ block, start: 0, end: block.text.length });
    const origin = body.getBoundingClientRect().top + body.clientTop - body.scrollTop;
    return { top: box.top - origin, bottom: box.bottom - origin };
  }
}
