"""What the comparison page does by key, and which key that is for whom.

One bare key never destroys anything: an answer can be revised, undo takes back and keeps what it
took, skipping and flagging ask first, and what would throw written words away is not on a key.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from annotate.models import Preferences

ANSWERS, READING, MOVING, OTHER = _("Answers"), _("Reading"), _("Moving"), _("Other")
GROUPS = (ANSWERS, READING, MOVING, OTHER)


@dataclass(frozen=True)
class Action:
    name: str
    key: str  # the usual one
    title: str | Promise
    group: str | Promise


ACTIONS = (
    Action("answer_1", "1", _("First answer from the left"), ANSWERS),
    Action("answer_2", "2", _("Second answer from the left"), ANSWERS),
    Action("answer_3", "3", _("Third answer from the left"), ANSWERS),
    Action("answer_4", "4", _("Fourth answer from the left"), ANSWERS),
    Action("answer_5", "5", _("Fifth answer from the left"), ANSWERS),
    Action("answer_6", "6", _("Sixth answer from the left"), ANSWERS),
    Action("tie", "0", _("Tie: equally good"), ANSWERS),
    Action("both_bad", "9", _("Both bad: neither should be learnt from"), ANSWERS),
    Action("skip", "s", _("Skip, with a reason"), ANSWERS),
    Action("flag", "f", _("Flag for an admin"), OTHER),
    Action("undo", "u", _("Undo the last answer"), OTHER),
    Action("history", "h", _("Your earlier answers"), OTHER),
    Action("reason", "r", _("Write the reason"), OTHER),
    Action("criteria", "c", _("Go to the criteria"), OTHER),
    Action("edit", "e", _("Edit the better one"), OTHER),
    Action("difference", "d", _("Show where the two differ"), READING),
    Action("next_difference", "n", _("Next place where they differ"), MOVING),
    Action("previous_difference", "p", _("Previous place where they differ"), MOVING),
    Action("raw", "t", _("Text as it was written"), READING),
    Action("together", "l", _("Scroll the two together"), READING),
    Action("down", "j", _("Scroll both down"), MOVING),
    Action("up", "k", _("Scroll both up"), MOVING),
    Action("prompt", "o", _("Open the whole prompt"), READING),
    Action("guidelines", "g", _("Guidelines"), READING),
    Action("help", "?", _("Show these keys"), OTHER),
)
BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters and signs that print nothing
TITLES = {action.name: action.title for action in ACTIONS}


def as_shown(key: str) -> str:
    """The key as it is printed on a keyboard: in capitals, but “ß” has none."""
    return key.upper() if len(key.upper()) == 1 else key


def preferences_of(person: User) -> Preferences:
    """The person's, or the usual ones, which are not stored until they are changed."""
    return getattr(person, "preferences", None) or Preferences(person=person)


def as_key(value: object) -> str:
    """The key as it is compared: a letter small, accents composed. Empty: it cannot be one.

    One character of any script that prints something. The space, Enter, Tab, Escape and the
    arrows stay the browser's, and a mark that joins the character before it is no key by itself.
    """
    if not isinstance(value, str) or len(value) > 4:
        return ""
    key = unicodedata.normalize("NFC", value).lower()
    if len(key) != 1 or key in BLANK:
        return ""
    return key if unicodedata.category(key)[0] in "LNPS" else ""


def check_keys(keys: Mapping[str, object]) -> dict[str, str]:
    """What is wrong with the key of which action, in a sentence. Empty: they can be stored.

    Parameters
    ----------
    keys
        The key of each action, by the action's name. An action that is left out keeps its usual.
    """
    faults = {}
    first: dict[str, str] = {}  # the action that a key is taken by
    for name in keys:
        if name not in TITLES:
            faults[name] = gettext("There is no such action. Reload the page and save again.")
    for action in ACTIONS:
        value = keys.get(action.name, action.key)
        key = as_key(value)
        if not key:
            faults[action.name] = _fault_of(value)
        elif key in first:
            faults[action.name] = gettext(
                "“%(key)s” is the key of “%(action)s” already. Choose another."
            ) % {"key": key, "action": TITLES[first[key]]}
        else:
            first[key] = action.name
    return faults


def _fault_of(value: object) -> str:
    if value in ("", None):
        return gettext("Choose a key for it.")
    if value in (" ", "\u00a0"):
        return gettext("The browser needs the space bar itself. Choose another key.")
    return gettext("A key is one character: a letter, a digit or a punctuation mark.")


def keys_of(preferences: Preferences) -> dict[str, str]:
    """The key of each action: always one valid key each, no two alike, whatever the row holds.

    A stored key that cannot be one gives way to the usual key, and so does a stored key that is
    the usual one of another action (one that came after it was stored, say).
    """
    stored = preferences.keys if isinstance(preferences.keys, dict) else {}
    own: dict[str, str] = {}
    for action in ACTIONS:
        key = as_key(stored.get(action.name))
        if key and key not in own.values():
            own[action.name] = key
    while True:
        usual = {action.key for action in ACTIONS if action.name not in own}
        taken = next((name for name, key in own.items() if key in usual), None)
        if taken is None:
            return {action.name: own.get(action.name, action.key) for action in ACTIONS}
        del own[taken]


def unusual(keys: Mapping[str, str]) -> dict[str, str]:
    """Of checked keys those to store: as they are compared, and only where not the usual ones."""
    return {
        action.name: as_key(keys[action.name])
        for action in ACTIONS
        if action.name in keys and as_key(keys[action.name]) != action.key
    }
