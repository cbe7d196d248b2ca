// One click fills in the usual criteria, below those that are there already.
"use strict";

for (const button of document.querySelectorAll("button[data-fill]")) {
  const field = document.getElementById(button.dataset.fill);
  if (!field) continue;
  button.hidden = false;
  button.addEventListener("click", () => {
    const there = field.value.split("\n").map((line) => line.trim()).filter(Boolean);
    const known = new Set(there.map((line) => line.toLowerCase()));
    const more = button.dataset.lines.split("|").filter((line) => !known.has(line.toLowerCase()));
    field.value = [...there, ...more].join("\n");
    field.focus();
  });
}
