// What was predicted holds for the settings that it was asked with: once they differ, it says so.
"use strict";

function compare() {
  const plan = document.getElementById("plan");
  const form = document.getElementById("design-form");
  const stale = plan?.querySelector(".stale");
  if (!stale || !form) return;
  const typed = new FormData(form);
  const asked = Object.entries(JSON.parse(plan.dataset.entry));
  const differs = asked.some(([name, value]) => name !== "name" && typed.get(name) !== value);
  const said = document.getElementById("plan-status");
  if (differs) {
    if (said.textContent !== stale.textContent) said.textContent = stale.textContent;
  } else if (!stale.hidden) {
    said.textContent = "";
  }
  stale.hidden = !differs;
}

for (const event of ["input", "change", "htmx:afterSettle", "pageshow"]) {
  window.addEventListener(event, compare);
}
