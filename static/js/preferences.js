// The settings page: a key is set by pressing it, and two actions on one key are told at once.
import { asKey, pressed } from "./desk/pressed.js";
import { format, gettext } from "./desk/words.js";

const fields = [...document.querySelectorAll("input.key")];
const live = document.querySelector("#keys-live");

const titleOf = (field) => field.labels[0].textContent.replace(/:\s*$/, "").trim();

function faultOf(field) {
  if (!field.value) return gettext("Choose a key for it.");
  const key = asKey(field.value);
  if (!key) return gettext("A key is one character: a letter, a digit or a punctuation mark.");
  const other = fields.find((each) => each !== field && asKey(each.value) === key);
  if (!other) return "";
  return format(gettext("“%(key)s” is the key of “%(action)s” too."), { key, action: titleOf(other) });
}

// The server's sentences are of what was sent; from the first change on they are told here.
function check() {
  for (const field of fields) {
    const place = field.closest(".field");
    const fault = faultOf(field);
    place.querySelectorAll(".errorlist").forEach((list) => list.remove());
    let line = place.querySelector(".errors");
    if (fault && !line) {
      line = document.createElement("p");
      line.className = "errors";
      line.id = `${field.id}_fault`;
      place.append(line);
    }
    if (line) line.textContent = fault;
    if (line && !fault) line.remove();
    field.toggleAttribute("aria-invalid", false);
    field.removeAttribute("aria-describedby");
    if (fault) {
      field.setAttribute("aria-invalid", "true");
      field.setAttribute("aria-describedby", line.id);
    }
  }
}

function set(field, key) {
  field.value = key;
  field.select();
  check();
  const fault = faultOf(field);
  live.textContent = fault || format(gettext("%(action)s: %(key)s"), { action: titleOf(field), key });
}

for (const field of fields) {
  field.removeAttribute("maxlength"); // it would keep a phone's keyboard from replacing the key
  field.addEventListener("focus", () => field.select());
  field.addEventListener("keydown", (event) => {
    const [key] = pressed(event);
    if (event.key === " ") {
      event.preventDefault();
      live.textContent = gettext("The browser needs the space bar itself. Choose another key.");
    } else if (key) {
      event.preventDefault();
      set(field, key);
    }
  });
  field.addEventListener("input", (event) => {
    if (!event.isComposing) set(field, asKey(event.data ?? "") || asKey(field.value) || field.value);
  });
}

document.querySelectorAll("input[name=theme]").forEach((choice) => {
  choice.addEventListener("change", () => {
    if (choice.value === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = choice.value;
  });
});
