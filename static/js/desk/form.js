// The answer bar: what it holds, what is still missing, and its draft.

import { $, announce, desk, notify } from "./page.js";
import { draftOf, keepDraft, writtenIn } from "./store.js";
import { gettext } from "./words.js";

const SAVE_AFTER = 250; // ms

export const form = $("#answer");
let saving = 0;
let pending = null; // the answer that was chosen and waits for its reason

/** Keep what is written, when the writing pauses. */
export function saveSoon() {
  clearTimeout(saving);
  const address = desk().dataset.answerUrl;
  saving = setTimeout(() => save(address), SAVE_AFTER);
}

function save(address) {
  saving = 0;
  if (desk()?.dataset.answerUrl !== address) return;
  keepDraft(address, writtenIn(new FormData(form)));
}

/** Keep it now: the page may go. */
export function saveNow() {
  if (!saving) return;
  clearTimeout(saving);
  save(desk().dataset.answerUrl);
}

/** Point the form at the comparison in view, with its draft or the answer that it had. */
export function fill() {
  clearTimeout(saving);
  saving = 0;
  const { token, answerUrl, replaces, earlier } = desk().dataset;
  form.reset();
  form.action = answerUrl;
  form.elements.token.value = token;
  form.elements.replaces.value = replaces;
  const flagForm = $("#flag-form");
  if (flagForm) {
    flagForm.reset();
    flagForm.action = desk().dataset.flagUrl;
  }
  choose(null);
  const before = earlier ? JSON.parse(earlier) : null;
  for (const [name, value] of Object.entries(draftOf(answerUrl) ?? fieldsOf(before) ?? {})) set(name, value);
  form.querySelectorAll("[data-given]").forEach((button) => button.removeAttribute("data-given"));
  if (before && replaces) {
    const value = before.strength ? `${before.choice}:${before.strength}` : before.choice;
    buttons().find((button) => button.value === value)?.setAttribute("data-given", "");
  }
  grow();
  markEdited();
}

function fieldsOf(earlier) {
  if (!earlier) return null;
  const criteria = [...form.querySelectorAll(".criterion")].map((each) => [
    each.querySelector("input").name,
    earlier.criteria[each.querySelector("legend").textContent] ?? "",
  ]);
  return { reason: earlier.reason, edit: earlier.edit, edit_of: earlier.edit_of, ...Object.fromEntries(criteria) };
}

function set(name, value) {
  const field = form.elements[name];
  if (field) field.value = value; // of a group of radios too
}

const buttons = () => [...form.querySelectorAll("[name=choice]")];

/** Mark the answer that waits for something to be written; null: none does. */
function choose(button) {
  pending?.removeAttribute("aria-pressed");
  pending = button;
  pending?.setAttribute("aria-pressed", "true");
}

/** @returns {HTMLButtonElement | null} the answer that was chosen and waits */
export const pendingAnswer = () => pending;

/**
 * What the answer still needs, by the campaign's rules; asks for it and puts the focus there.
 * @param {HTMLButtonElement} button
 */
export function isComplete(button) {
  const choice = button.value.split(":")[0];
  if (choice === "skip") {
    if (form.querySelector("[name=skip_reason]:checked")) return true;
    notify(gettext("Say why you skip it."));
    return false;
  }
  const { reason, reasonAt } = form.dataset;
  const at = reasonAt ? reasonAt.split(" ") : [];
  const open = "criteriaRequired" in form.dataset && [...form.querySelectorAll(".criterion")].find((each) => !each.querySelector(":checked"));
  if (open) return ask(button, open.querySelector("input"), gettext("Answer every criterion first."));
  if (reason === "required" && (!at.length || at.includes(choice)) && !form.elements.reason.value.trim()) {
    return ask(button, form.elements.reason, gettext("This answer needs a reason. Write it, then press Ctrl and Enter."));
  }
  const side = form.elements.edit?.value && form.elements.edit_of.value;
  if (form.elements.edit?.value && ((choice === "left" || choice === "right") && side !== choice)) {
    notify(gettext("Your edit is of the other side. Edit the better one, or discard the edit."));
    return false;
  }
  return true;
}

/** Show or hide reason and criteria, where there is no room for them all the time. */
export function toggleDetails(open) {
  const shown = $(".bar").toggleAttribute("data-details", open);
  $("[data-action=details]")?.setAttribute("aria-expanded", String(shown));
}

function ask(button, field, text) {
  choose(button);
  toggleDetails(true);
  notify(text);
  field.focus();
  return false;
}

/** @param {HTMLButtonElement} button @returns {[string, string][]} the fields as they would be sent */
export function fieldsFor(button) {
  const fields = [...new FormData(form)].filter(([name]) => name !== "csrfmiddlewaretoken" && name !== "seconds" && name !== "active_seconds");
  return [...fields, ["choice", button.value]].filter(([name, value]) => value !== "" || name === "guideline");
}

/** The reason's field is as high as what is in it, up to a limit that the style sets. */
export function grow() {
  const field = form.elements.reason;
  if (!field) return;
  field.rows = Math.min(5, Math.max(1, field.value.split("\n").length + Math.floor(field.value.length / 160)));
}

/** Show that an edit goes with the answer. */
export function markEdited() {
  const button = form.querySelector("[data-action=edit]");
  if (button) button.toggleAttribute("data-edited", form.elements.edit.value !== "");
}

/** Put the text that is edited into the editor, where nothing is written yet. Nothing says which one: no side is. */
export function startEdit() {
  const field = form.elements.edit;
  const chosen = pending?.value.split(":")[0];
  if (!form.elements.edit_of.value && (chosen === "left" || chosen === "right")) form.elements.edit_of.value = chosen;
  const side = form.elements.edit_of.value;
  field.disabled = !side;
  if (!side) return;
  const source = desk().querySelector(`.source[data-side="${side}"]`)?.value ?? "";
  const untouched = [...desk().querySelectorAll(".source")].some((each) => each.value === field.value);
  if (!field.value || untouched) {
    field.value = source;
    field.setSelectionRange(0, 0);
    field.scrollTop = 0;
  }
  announce(gettext("The text is in the editor."));
}

/** An editor that was opened and closed without a change is no edit. */
export function endEdit() {
  const field = form.elements.edit;
  field.disabled = false; // a disabled field is not sent
  const source = desk()?.querySelector(`.source[data-side="${form.elements.edit_of.value}"]`)?.value;
  if (field.value === source || !field.value.trim()) discardEdit();
  else {
    markEdited();
    saveSoon();
  }
}

export function discardEdit() {
  form.elements.edit.value = "";
  form.querySelectorAll("[name=edit_of]").forEach((radio) => { radio.checked = false; });
  markEdited();
  saveSoon();
}
