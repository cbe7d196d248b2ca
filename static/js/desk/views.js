// How the two texts are looked at: as rendered or as written, their differences, scrolled together.

import { hideDifference, nextDifference, showDifference } from "./difference.js";
import { $, announce, data, desk } from "./page.js";
import { openScrollers } from "./prose.js";
import { recall, remember } from "./store.js";
import { scrollTogether } from "./together.js";
import { format, gettext, ngettext } from "./words.js";

const SCROLL_PX = 120;
const state = {
  difference: false,
  raw: false,
  together: $("[data-action=together]")?.getAttribute("aria-pressed") === "true",
};

function press(name, on) {
  state[name] = on;
  $(`.desk-views [data-action=${name}]`)?.setAttribute("aria-pressed", String(on));
}

function showRaw() {
  desk().querySelectorAll(".pane").forEach((pane) => {
    pane.querySelector(".prose").hidden = state.raw;
    pane.querySelector(".raw-text").hidden = !state.raw;
  });
}

function compare() {
  const found = $("#desk-found");
  hideDifference();
  found.textContent = "";
  const counts = state.difference && showDifference(desk());
  if (!counts) return "";
  const share = Math.round(counts.share * 100);
  const places = format(ngettext("%(places)s place differs", "%(places)s places differ", counts.places), { places: counts.places });
  found.textContent = format(gettext("%(share)s% shared, %(places)s"), { share, places });
  return found.textContent;
}

/** After a comparison came into view. */
export function look() {
  showRaw();
  compare();
  scrollTogether(desk(), { on: state.together });
  foldPrompt();
  openScrollers(desk());
}

/** A long system prompt is folded, and the last message of a conversation is in view. */
function foldPrompt() {
  const turns = desk().querySelector(".turns");
  const last = turns.lastElementChild;
  const more = desk().querySelector(".turns-more");
  turns.querySelectorAll('.turn[data-role="system"]').forEach((turn) => {
    const text = turn.querySelector(".turn-text");
    turn.toggleAttribute("data-folded", text.scrollHeight > 3.5 * parseFloat(getComputedStyle(text).lineHeight));
  });
  const isLong = turns.querySelector("[data-folded]") !== null || turns.scrollHeight > turns.clientHeight + 4;
  more.hidden = !isLong;
  if (last && turns.children.length > 1) turns.scrollTop = last.offsetTop - turns.firstElementChild.offsetTop;
}

function togglePrompt() {
  const prompt = desk().querySelector(".desk-prompt");
  const more = prompt.querySelector(".turns-more");
  if (more.hidden) return;
  const open = prompt.toggleAttribute("data-open");
  more.setAttribute("aria-expanded", String(open));
  more.textContent = open ? gettext("Fold the prompt") : gettext("Whole prompt");
  prompt.querySelector(".turns").focus({ preventScroll: true });
}

function go(step) {
  if (!state.difference) {
    press("difference", true);
    compare();
  }
  const place = nextDifference(desk(), step);
  if (!place) {
    announce(gettext("The two do not differ."));
    return;
  }
  announce(format(gettext("Place %(number)s of %(places)s. Left: %(left)s. Right: %(right)s."), {
    ...place,
    left: place.left || gettext("nothing"),
    right: place.right || gettext("nothing"),
  }));
}

const scroll = (top) => desk().querySelectorAll(".pane-body").forEach((pane) => pane.scrollBy({ top }));

/** Remember it for the next page of this session. */
function keep() {
  remember(`views:${data.person}`, JSON.stringify(state));
}

export function restoreViews() {
  try {
    const kept = JSON.parse(recall(`views:${data.person}`)) ?? {};
    for (const name of Object.keys(state)) if (typeof kept[name] === "boolean") press(name, kept[name]);
  } catch { /* nothing was kept */ }
}

export const acts = {
  difference() {
    press("difference", !state.difference);
    announce(compare() || gettext("Differences are no longer marked."));
    keep();
  },
  raw() {
    press("raw", !state.raw);
    showRaw();
    compare();
    scrollTogether(desk(), { on: state.together });
    announce(state.raw ? gettext("Texts as they were written.") : gettext("Texts rendered."));
    keep();
  },
  together() {
    press("together", !state.together);
    scrollTogether(desk(), { on: state.together });
    announce(state.together ? gettext("The two scroll together.") : gettext("Each side scrolls by itself."));
    keep();
  },
  prompt: togglePrompt,
  next_difference: () => go(1),
  previous_difference: () => go(-1),
  down: () => scroll(SCROLL_PX),
  up: () => scroll(-SCROLL_PX),
};
