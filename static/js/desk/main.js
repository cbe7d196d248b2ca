// The comparison page. Every answer is a real form with real buttons, which work without this
// script; with it an answer goes out in the background while the next comparison is already there.

import * as clock from "./clock.js";
import { fieldsFor, fill, form, grow, isComplete, pendingAnswer, saveNow, saveSoon, toggleDetails } from "./form.js";
import { inFront, listen, typing } from "./keyboard.js";
import { drain, explain, post, send, sendLeftovers, showKept, waiting } from "./outbox.js";
import { $, announce, data, desk, notify, trouble } from "./page.js";
import { acts as panelActs, changeGuidelines, setUpPanels } from "./panels.js";
import { finish } from "./prose.js";
import { leases, next, putBack, refill } from "./queue.js";
import { forgetOldDrafts, keepDraft, remember } from "./store.js";
import { acts as viewActs, look, restoreViews } from "./views.js";
import { format, gettext } from "./words.js";

const SETTLE_MS = 250; // a press this soon after a comparison appeared was meant for the one before
const UNDO_OF_NOTHING_MS = 1000;
const BEAT_MS = 60_000; // the lease outlives several that are lost

const undoForm = $("#undo");
let arrived = performance.now();
let busy = false; // waiting for the server to say what comes next
let undoing = false; // waiting for the last answer to come back
let leaving = false; // the page is on its way out
let ignored = -Infinity; // when an answer came too soon to be meant for what is in view
let turn = 0; // counts answers and undos: what the server said before one is old news

const settled = () => performance.now() - arrived > SETTLE_MS;

/** What a request tells the server besides what it is about. An answer has its own guidelines. */
const have = () => leases().map((lease) => ["have", lease]);
const present = () => [...have(), ["guideline", form.elements.guideline.value]];

const toComparison = () => desk().querySelector(".turns").focus({ preventScroll: true });

/** A comparison came into view. */
function arrive(sheet) {
  if (sheet) {
    desk().replaceWith(sheet);
    scrollTo(0, 0);
  }
  wait(false);
  arrived = performance.now();
  clock.restart();
  fill();
  look();
  if (sheet) {
    notify("");
    toComparison();
    announce(`${$("#desk-title").textContent.trim()}.`);
    proposePause();
  }
}

function wait(on) {
  busy = on;
  rest();
}

/** While it waits the page takes nothing: it would be about another comparison. */
function rest() {
  const on = busy || undoing;
  $(".bar").inert = on;
  desk().setAttribute("aria-busy", String(on));
}

/** Show the next comparison, if one is ready; else wait for it. */
function advance() {
  const sheet = next();
  if (sheet) arrive(sheet);
  else wait(true);
}

/** How many comparisons are done, and with those under way the number of the one in view. */
function count(pace) {
  if (pace) $("#pace").outerHTML = pace;
  const place = $("#desk-number");
  if (place) place.textContent = String(Number($("#pace").dataset.done) + waiting("skip").size + 1);
}

function submit(button) {
  if (busy || undoing) return;
  if (!settled()) {
    ignored = performance.now();
    return;
  }
  if (!isComplete(button)) return;
  const { seconds, active } = clock.elapsed();
  const fields = [
    ...fieldsFor(button),
    ["seconds", seconds.toFixed(3)],
    ["active_seconds", active.toFixed(3)],
  ];
  const { token, answerUrl } = desk().dataset;
  saveNow();
  turn += 1;
  send({ address: answerUrl, token, fields, campaign: data.campaign });
  keepDraft(answerUrl, null);
  document.querySelectorAll(".sheet:popover-open").forEach((sheet) => sheet.hidePopover());
  if (data.mode === "work") {
    count();
    advance();
  } else wait(true);
  empty();
}

const isHere = (entry) => entry.campaign === data.campaign;
const more = (entry) => (data.mode === "work" && isHere(entry) ? have() : []);

/** Send what waits. What this page waits for may have been sent, and its reply taken, by another tab. */
async function empty() {
  const isSent = await drain(more, (state, entry) => {
    if (isHere(entry)) take(state, entry);
    else if (state.notice) notify(state.notice);
  });
  if (isSent && busy && !leaving) {
    if (data.mode === "work") beat();
    else leave(data.compareUrl);
  }
  return isSent;
}

/** What the server says after an answer, an undo, a sign of life. */
function take(state, entry) {
  if (state.outcome === "refused" && entry) return refused(state, entry);
  if (state.leave || data.mode !== "work") return leave(state.leave ?? data.compareUrl, state.notice);
  if (state.held) refill(state, waiting());
  if (state.held && !entry && !busy) checkHeld(state.held);
  if (state.pace) count(state.pace);
  if (state.last !== undefined) {
    undoForm.elements.judgement.value = state.last ?? "";
    undoForm.querySelector("button").disabled = state.last === null;
  }
  if (state.guideline && (!entry || isPresent(entry))) changeGuidelines(state.guidelines, state.guideline);
  if (busy) {
    const sheet = next();
    if (sheet) arrive(sheet);
    else if (!waiting().size) return reload(state.notice); // the end, in the server's words
  }
  if (state.notice) notify(state.notice);
  return undefined;
}

/** Whether an answer was given under the guidelines that the page shows: one sent late was not. */
const isPresent = ({ fields }) =>
  fields.some(([name, value]) => name === "guideline" && value === form.elements.guideline.value);

/** What is in view may have been answered in another tab, or passed on while its reader was away. */
function checkHeld(held) {
  const { token } = desk().dataset;
  if (held.includes(token) || waiting().has(token)) return;
  if (typing(document.activeElement) || inFront()) return; // what is typed next would answer another one
  saveNow();
  advance();
  notify(gettext("The comparison from before is no longer yours: it was answered elsewhere or passed on."));
}

function leave(address, notice) {
  if (waiting().size) return;
  leaving = true;
  if (notice) remember("notice", notice);
  location.assign(address);
}

function reload(notice) {
  leaving = true;
  if (notice) remember("notice", notice);
  location.reload();
}

/** The server cannot take an answer as it was given: what was written is its comparison's draft again. */
function refused(state, entry) {
  if (desk().dataset.answerUrl === entry.address) {
    wait(false);
    fill();
    notify(state.notice);
  } else reload(state.notice);
}

async function undo() {
  if (performance.now() - ignored < UNDO_OF_NOTHING_MS) {
    ignored = -Infinity; // it takes back the press that was ignored, not the answer before
    return;
  }
  if (busy || undoing || (undoForm.querySelector("button").disabled && !waiting().size)) return;
  hold(true);
  try {
    await takeBack();
  } finally {
    hold(false);
  }
}

function hold(on) {
  undoing = on;
  turn += 1;
  rest();
  if (document.activeElement === document.body) toComparison();
}

async function takeBack() {
  const judgement = undoForm.elements.judgement.value;
  saveNow();
  if (!(await empty())) {
    notify(gettext("Undo works again when your answers have been sent."));
    return;
  }
  const fields = [["judgement", undoForm.elements.judgement.value || judgement], ...present()];
  let state;
  try {
    state = await post(undoForm.action, fields);
  } catch (problem) {
    explain(problem.status ?? 0);
    return;
  }
  trouble("");
  const inView = desk();
  if (state.outcome !== "undone") return take(state);
  refill(state, waiting());
  const back = next();
  if (!back) return reload();
  if (state.held.includes(inView.dataset.token)) putBack(inView);
  take({ ...state, held: undefined });
  arrive(back);
  announce(gettext("Your last answer is taken back. Answer this comparison again."));
}

/** A sign of life, which also brings what is missing ahead. */
async function beat() {
  if (undoing) return;
  if (waiting().size) await empty();
  if (data.mode !== "work" || waiting().size || undoing || leaving) return;
  const before = turn;
  try {
    const state = await post(data.upcomingUrl, present());
    if (turn !== before) return;
    take(state);
    trouble("");
  } catch (problem) {
    if (problem.status === undefined) throw problem;
    if (problem.status === 401) explain(401);
  }
}

/** At the end of the queue: what somebody skips or undoes may be this person's after all. */
async function lookAgain() {
  if (document.visibilityState === "hidden" || leaving || waiting().size) return;
  try {
    const state = await post(data.upcomingUrl, []);
    if (state.sheets?.length) reload();
  } catch (problem) {
    if (problem.status === undefined) throw problem; // else at the next look
  }
}

function proposePause() {
  const box = $("#desk-pause");
  const after = Number(data.pauseMinutes);
  const minutes = clock.sittingMinutes();
  if (!after || minutes < after) return;
  box.querySelector("span").textContent = format(
    gettext("You have been comparing for %(minutes)s minutes. A few away from the screen keep your judgement fresh."),
    { minutes: Math.round(minutes) },
  );
  box.hidden = false;
  announce(box.querySelector("span").textContent);
}

function goTo(field) {
  if (!field) return;
  toggleDetails(true);
  field.focus();
}

function click(selector) {
  const button = $(selector);
  if (button && !button.disabled) button.click();
}

function setUp() {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (event.submitter?.name === "choice") submit(event.submitter);
  });
  form.addEventListener("input", () => {
    grow();
    saveSoon();
  });
  undoForm.addEventListener("submit", (event) => {
    event.preventDefault();
    undo();
  });
  document.addEventListener("click", (event) => {
    const act = event.target.closest("button[data-action]:not([popovertarget], [type=submit])")?.dataset.action;
    if (act) acts[act]?.();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented && typing(event.target) && !inFront()) {
      toComparison();
    }
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !inFront()) {
      event.preventDefault();
      if (pendingAnswer()) pendingAnswer().click();
      else notify(gettext("Choose an answer first."));
    }
  });
  $("#desk-pause button").addEventListener("click", () => {
    clock.pauseTaken();
    $("#desk-pause").hidden = true;
    toComparison();
  });
  addEventListener("online", empty);
  addEventListener("pagehide", saveNow);
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") saveNow();
    else beat();
  });
  setInterval(() => { if (clock.isAwake()) beat(); }, BEAT_MS);
}

const answers = Object.fromEntries(
  [...document.querySelectorAll("#answer .answers-choice [data-action]")].map((button) => [
    button.dataset.action,
    () => click(`#answer [data-action=${button.dataset.action}]`),
  ]),
);
const acts = {
  ...answers,
  ...viewActs,
  ...panelActs,
  undo: () => click("#undo button"),
  history: () => click("#history-link"),
  details: () => toggleDetails(),
  reason: () => goTo(form.elements.reason),
  criteria: () => goTo(form.querySelector(".criterion input:checked, .criterion input")),
};

for (const name of ["skip", "flag", "edit", "details", "reason", "criteria"]) {
  const act = acts[name];
  acts[name] = () => { if (!busy && !undoing) act(); };
}

document.documentElement.classList.add("has-script");
if (form && desk()) {
  setUp();
  setUpPanels(() => submit($("#skip-sheet [name=choice]")));
  restoreViews();
  forgetOldDrafts();
  finish(desk()).then(look);
  listen(JSON.parse(data.keys), acts, ["up", "down", "next_difference", "previous_difference"]);
  if (data.mode === "work" && waiting().has(desk().dataset.token)) {
    wait(true); // answered before the page was closed, and not sent yet
    empty();
  } else {
    arrive(null);
    if (waiting().size) empty();
    beat();
  }
} else if ($("#explained-go-on")) {
  finish(document);
  $("#explained-go-on").focus();
} else {
  listen(JSON.parse(data.keys), { undo: acts.undo, history: acts.history, help: acts.help }, []);
  $("#desk-title")?.focus();
  sendLeftovers();
  if ($(".desk-done") && data.mode === "work") {
    document.addEventListener("visibilitychange", lookAgain);
    setInterval(lookAgain, BEAT_MS);
  }
}
showKept();
document.documentElement.dataset.ready = "";
