// The words of the scripts, in the language of the page. Django's catalogue is a classic script
// (annotate:catalogue) that stands before the modules; without it everything is in English.

/**
 * @param {string} text English, literally
 * @returns {string} the same in the language of the page
 */
export function gettext(text) {
  return globalThis.gettext ? globalThis.gettext(text) : text;
}

/**
 * @param {string} singular English, literally
 * @param {string} plural English, literally
 * @param {number} count
 * @returns {string} the form that the language of the page has for the count
 */
export function ngettext(singular, plural, count) {
  if (globalThis.ngettext) return globalThis.ngettext(singular, plural, count);
  return count === 1 ? singular : plural;
}

/**
 * Fills the places of a text: `format("%(done)s of %(total)s", { done: 3, total: 1200 })`.
 * Numbers are written as the language of the page writes them.
 *
 * @param {string} text
 * @param {Record<string, string | number>} values
 * @returns {string}
 */
export function format(text, values) {
  return text.replace(/%\((\w+)\)s/g, (place, name) => {
    if (!Object.hasOwn(values, name)) return place;
    const value = values[name];
    return typeof value === "number" ? value.toLocaleString(document.documentElement.lang || "en") : String(value);
  });
}
