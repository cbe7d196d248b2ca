"""A person's settings."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.conf import settings
from django.forms import BoundField
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from annotate.keys import ACTIONS, GROUPS, check_keys, keys_of, unusual
from annotate.models import Preferences

PREFIX = "key_"
KEY_ATTRS = {
    "class": "key",
    "maxlength": 1,
    "autocomplete": "off",
    "autocapitalize": "off",
    "spellcheck": "false",
}


class PreferencesForm(forms.Form):
    theme = forms.ChoiceField(
        label=_("Theme"),
        choices=[(value, capfirst(title)) for value, title in Preferences.Theme.choices],
        widget=forms.RadioSelect,
    )
    language = forms.ChoiceField(
        label=_("Language"),
        choices=[("", _("As the browser asks")), *settings.LANGUAGES],
        widget=forms.RadioSelect,
        required=False,
    )
    scroll_together = forms.BooleanField(
        label=_("Scroll the two completions together"),
        help_text=_("How every comparison begins. A key switches it at any time."),
        required=False,
    )

    def __init__(self, preferences: Preferences, data: Any = None) -> None:
        keys = keys_of(preferences)
        initial = {
            "theme": preferences.theme,
            "language": preferences.language,
            "scroll_together": preferences.scroll_together,
        }
        super().__init__(data, initial=initial, label_suffix="")
        for action in ACTIONS:
            self.fields[PREFIX + action.name] = forms.CharField(
                label=str(action.title),
                initial=keys[action.name],
                required=False,  # check_keys says it in better words
                strip=False,
                widget=forms.TextInput(KEY_ATTRS),
            )

    def groups(self) -> Iterator[tuple[str | Promise, list[BoundField]]]:
        """The fields of the keys, by what they are for."""
        for group in GROUPS:
            fields = [self[PREFIX + action.name] for action in ACTIONS if action.group is group]
            yield group, fields

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or self.cleaned_data
        found["keys"] = keys = {
            name.removeprefix(PREFIX): value
            for name, value in [*self.data.items(), *found.items()]
            if name.startswith(PREFIX)
        }
        for name, sentence in check_keys(keys).items():
            self.add_error(PREFIX + name if PREFIX + name in self.fields else None, sentence)
        return found

    def values(self) -> dict[str, Any]:
        """What to store."""
        found = self.cleaned_data
        return {
            "theme": found["theme"],
            "language": found["language"],
            "scroll_together": found["scroll_together"],
            "keys": unusual(found["keys"]),
        }
