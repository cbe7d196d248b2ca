// What opens over the comparison or beside it: reasons to skip, flags, the editor, guidelines, keys.

import { discardEdit, endEdit, form, startEdit } from "./form.js";
import { typing } from "./keyboard.js";
import { $, announce, desk, notify } from "./page.js";
import { post } from "./outbox.js";
import { finish, openScrollers } from "./prose.js";
import { gettext } from "./words.js";

const skipSheet = () => $("#skip-sheet");
const flagSheet = () => $("#flag-sheet");
const flagForm = () => $("#flag-form");
const editSheet = () => $("#edit-sheet");
const guidelines = () => $("#guidelines");

/** In a sheet of numbered options a digit chooses one; `then` goes on with it. */
function numbered(sheet, then) {
  sheet?.addEventListener("keydown", (event) => {
    if (!sheet.matches(":popover-open")) return; // closed, and the focus not out of it yet
    if (event.key === "Escape") {
      event.preventDefault(); // the browser closes it a moment later, and a digit until then would choose
      sheet.hidePopover();
      return;
    }
    if (event.ctrlKey || event.altKey || event.metaKey || typing(event.target)) return;
    const radio = /^[1-9]$/.test(event.key) && sheet.querySelectorAll("[type=radio]")[Number(event.key) - 1];
    if (!radio) return;
    event.preventDefault();
    radio.checked = true;
    radio.focus();
    then();
  });
}

function open(sheet) {
  if (!sheet || sheet.matches(":popover-open")) return;
  sheet.showPopover();
  focusFirst(sheet); // at once: the next key may be on its way
}

/** The editor's text, once it is clear which one is edited; else the first thing to choose. */
const focusFirst = (sheet) =>
  (sheet.querySelector(":checked") && sheet.querySelector("textarea") || sheet.querySelector("[type=radio]"))?.focus();

const toComparison = () => desk()?.querySelector(".turns").focus({ preventScroll: true });

/** What had the focus when it opened has it again when it closes with the focus in it; else the comparison. */
function giveFocusBack(box) {
  let before = null;
  box?.addEventListener("beforetoggle", (event) => {
    const now = document.activeElement;
    if (event.newState === "open") before = now;
    if (event.newState === "open" || (now && now !== document.body && !box.contains(now))) return;
    if (before?.isConnected && before !== document.body) before.focus({ preventScroll: true });
    else toComparison();
  });
}

function focusWhenOpened(sheet) {
  giveFocusBack(sheet);
  sheet?.addEventListener("toggle", (event) => {
    if (event.newState === "open" && !sheet.contains(document.activeElement)) focusFirst(sheet);
  });
}

export function toggleGuidelines() {
  guidelines()?.togglePopover();
}

/** The panel is part of the page's width while it is open. */
function dock() {
  const panel = guidelines();
  if (!panel) return;
  finish(panel);
  giveFocusBack(panel);
  panel.addEventListener("toggle", (event) => {
    document.body.classList.toggle("has-side", event.newState === "open");
    if (event.newState === "open") openScrollers(panel);
    if (event.newState === "open" && !panel.hasAttribute("data-unread")) panel.querySelector(".side-body").focus({ preventScroll: true });
  });
  panel.addEventListener("keydown", (event) => {
    if (event.key === "Escape") panel.hidePopover();
  });
  $("#guidelines-read")?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const read = event.target;
    try {
      await post(read.action, [["guideline", read.elements.guideline.value]]);
    } catch {
      notify(gettext("That was not stored. Please press it again when the connection is back."));
      return;
    }
    panel.removeAttribute("data-unread");
    read.remove();
    panel.hidePopover();
    toComparison();
  });
  if (!panel.hasAttribute("data-unread")) return;
  panel.showPopover();
  if (document.activeElement === document.body) panel.querySelector(".side-body").focus({ preventScroll: true });
}

/** New guidelines came while the page was open: show them, with what changed. */
export function changeGuidelines(html, version) {
  form.elements.guideline.value = version;
  const holder = document.createElement("template");
  holder.innerHTML = html;
  const fresh = holder.content.querySelector("#guidelines");
  if (!fresh) { // there are none any more
    guidelines()?.remove();
    document.body.classList.remove("has-side");
    return;
  }
  if (guidelines()) guidelines().replaceWith(fresh);
  else $(".bar").after(fresh);
  dock();
  announce(gettext("The guidelines have changed. They are open beside the comparison."));
}

function beginEdit() {
  startEdit();
  focusFirst(editSheet());
}

/** @param {() => void} answerSkip sends the answer “skip” with its reason */
export function setUpPanels(answerSkip) {
  numbered(skipSheet(), answerSkip);
  numbered(editSheet(), beginEdit);
  numbered(flagSheet(), () => flagSheet().querySelector("[name=note]").focus());
  [skipSheet(), flagSheet(), editSheet()].forEach(focusWhenOpened);
  flagForm()?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const fields = [...new FormData(flagForm())].filter(([name]) => name !== "csrfmiddlewaretoken");
    flagSheet().hidePopover();
    try {
      notify((await post(flagForm().action, fields)).notice ?? "");
    } catch {
      notify(gettext("The flag could not be sent. Please flag it again when the connection is back."));
    }
  });
  editSheet()?.addEventListener("beforetoggle", (event) => {
    if (event.newState === "open") startEdit();
  });
  editSheet()?.addEventListener("toggle", (event) => {
    if (event.newState === "closed") endEdit();
  });
  editSheet()?.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    editSheet().hidePopover();
  });
  editSheet()?.addEventListener("change", (event) => {
    if (event.target.name === "edit_of") beginEdit();
  });
  $("#edit-discard")?.addEventListener("click", () => {
    discardEdit();
    editSheet().hidePopover();
  });
  dock();
}

export const acts = {
  skip: () => open(skipSheet()),
  flag: () => open(flagSheet()),
  edit: () => open(editSheet()),
  guidelines: toggleGuidelines,
  help: () => $("#keys").showModal(),
};
