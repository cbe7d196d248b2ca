// Which key of annotate/keys.py an event is.

/**
 * The keys that a press can mean, the likeliest first: what is printed on it, as the server
 * compares it; else the digit of the key itself, where digits need Shift (French); else the letter
 * that a Latin keyboard has there, so that the usual keys work on a Cyrillic or Greek one too.
 * Look up each in turn and take the first that is a key of something.
 *
 * @param {KeyboardEvent} event
 * @returns {string[]} empty for the keys that are the browser's, and for those held with Ctrl, Alt or Meta
 */
export function pressed(event) {
  const composed = event.getModifierState("AltGraph"); // “@” and “{” on many keyboards
  if (event.isComposing || event.metaKey || (!composed && (event.ctrlKey || event.altKey))) return [];
  const key = asKey(event.key);
  if (!key) return [];
  const found = [key];
  const digit = /^Digit(\d)$/.exec(event.code);
  const letter = /^Key([A-Z])$/.exec(event.code);
  if (digit && !event.shiftKey && !composed && !/\d/.test(key)) found.push(digit[1]);
  if (letter && !composed && key > "\u024f") found.push(letter[1].toLowerCase());
  return found;
}

/**
 * @param {string} text
 * @returns {string} one character as keys are compared, or "" where it cannot be a key
 */
export function asKey(text) {
  const key = text.normalize("NFC").toLowerCase();
  return /^(?![\u115f\u1160\u2800\u3164\uffa0])[\p{L}\p{N}\p{P}\p{S}]$/u.test(key) ? key : "";
}
