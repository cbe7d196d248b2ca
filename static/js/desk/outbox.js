// Sends answers, in order and each once: what a lost connection or a lost session keeps here is sent
// later. The server knows an answer by its lease, so that one sent twice is stored once.

import { $, data, notify, trouble } from "./page.js";
import { adoptList, forgetAnswer, keepAnswer, keepDraft, outbox, recall, remember, writtenIn } from "./store.js";
import { format, gettext, ngettext } from "./words.js";

const TIMEOUT = 20_000; // ms
const PATIENCE = [1, 2, 4, 8, 15, 30]; // s between tries

let memory = []; // those that the browser did not store
let failures = 0;
let timer = 0;
let draining = null;
let isOther = false; // another person is logged in by now

const entries = () => [...outbox(), ...memory].sort((one, other) => one.at - other.at);

/**
 * @param {string} [except] a choice to leave out
 * @returns {Set<string>} the leases of the answers that wait
 */
export const waiting = (except) =>
  new Set(entries().filter(({ fields }) => !fields.some(([name, value]) => name === "choice" && value === except)).map((entry) => entry.token));

/** The page's present proof that a request is its own. */
const token = () => $("[name=csrfmiddlewaretoken]").value;

/**
 * Post fields as the page's form would, and return the answer's JSON.
 * @param {string} address
 * @param {[string, string][]} fields
 * @throws {{status: number, outcome?: string}} 0 when the server cannot be reached
 */
export async function post(address, fields) {
  let { status, state } = await ask(address, fields);
  if (status === 403 && (await freshToken())) ({ status, state } = await ask(address, fields));
  if (state && (status === 200 || status === 422)) return state;
  throw { status: status === 200 ? 502 : status, outcome: state?.outcome };
}

async function ask(address, fields) {
  const body = new URLSearchParams([...fields, ["csrfmiddlewaretoken", token()]]);
  try {
    const response = await fetch(address, {
      method: "POST",
      body,
      headers: { Accept: "application/json" },
      signal: AbortSignal.timeout(TIMEOUT),
    });
    const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
    return { status: response.status, state: isJson ? await response.json() : null };
  } catch {
    throw { status: 0 }; // also when the reply was cut off: what it says of an answer comes again
  }
}

/**
 * Keep an answer and send it as soon as that works.
 * @param {{address: string, token: string, fields: [string, string][]}} entry
 */
export function send(entry) {
  // Of two tabs that answer the same comparison each is told how it went.
  const kept = { ...entry, at: Date.now(), id: `${Date.now()}-${Math.random()}` };
  if (!keepAnswer(kept)) memory.push(kept);
}

function drop(entry) {
  memory = memory.filter((each) => each.id !== entry.id);
  forgetAnswer(entry);
}

/**
 * Send what waits. One tab sends at a time.
 * @param {(entry: object) => [string, string][]} more further fields of the moment
 * @param {(state: object, entry: object) => void} onState what the server says to each
 * @returns {Promise<boolean>} whether all is sent
 */
export async function drain(more, onState) {
  draining ??= locked(() => sendAll(more, onState)).finally(() => { draining = null; });
  const isSent = await draining;
  return isSent && entries().length ? drain(more, onState) : isSent; // one came at the last moment
}

const locked = (work) =>
  navigator.locks ? navigator.locks.request(`pairselect-outbox-${data.person}`, work) : work();

/** From a page without a comparison: send what an earlier one left, then show the page anew. */
export function sendLeftovers() {
  if (!waiting().size) return;
  drain(() => [], (state) => {
    if (state.notice) remember("notice", state.notice);
    if (!waiting().size) location.reload();
  });
}

/** What the page before had to say to this one's reader. */
export function showKept() {
  const kept = recall("notice");
  remember("notice", null);
  if (kept) notify(kept);
}

async function sendAll(more, onState) {
  clearTimeout(timer);
  for (let entry; (entry = entries()[0]); ) {
    try {
      const state = await post(entry.address, [...entry.fields, ...more(entry)]);
      drop(entry);
      if (state.outcome === "refused") keepDraft(entry.address, writtenIn(entry.fields));
      failures = 0;
      trouble("");
      onState(state, entry);
    } catch (problem) {
      if (problem.status === undefined) throw problem;
      if (problem.outcome === "gone") { // a proxy whose server is away may say 404 as well
        drop(entry);
        notify(gettext("An answer could not be stored: its campaign is not yours any more."));
        continue;
      }
      explain(problem.status);
      retryLater(more, onState, problem.status);
      return false;
    }
  }
  return true;
}

function retryLater(more, onState, status) {
  if (status === 401) return;
  const seconds = PATIENCE[Math.min(failures++, PATIENCE.length - 1)];
  timer = setTimeout(() => drain(more, onState), seconds * 1000);
}

/** Why nothing is sent at present. */
export function explain(status) {
  const count = entries().length;
  const kept = format(
    ngettext("%(count)s answer is kept here and sent later.", "%(count)s answers are kept here and sent later.", count),
    { count },
  );
  const text = {
    0: gettext("The server cannot be reached."),
    503: gettext("The server cannot store anything at present."),
    401: gettext("You are logged out."),
    403: isOther
      ? gettext("Somebody else is logged in on this browser now.")
      : gettext("The server does not know this page any more."),
  }[status] ?? format(gettext("The server had a fault (%(status)s)."), { status });
  const link = {
    401: { href: data.loginUrl, text: gettext("Log in") },
    403: { href: data.compareUrl, text: gettext("Load the page anew") },
  }[status];
  trouble(count ? `${text} ${kept}` : text, link);
}

/** After a login in another tab this page's proof is old: take a new one, if it is the same person. */
async function freshToken() {
  try {
    const response = await fetch(data.compareUrl, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(TIMEOUT) });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.querySelector("[name=csrfmiddlewaretoken]")?.value;
    const person = page.querySelector("#desk-data")?.dataset.person;
    isOther = person !== undefined && person !== data.person;
    if (!fresh || person !== data.person) return false;
    document.querySelectorAll("[name=csrfmiddlewaretoken]").forEach((field) => { field.value = fresh; });
    return true;
  } catch {
    return false;
  }
}

addEventListener("beforeunload", (event) => {
  if (memory.length) event.preventDefault(); // they would go with the page
});

adoptList();
