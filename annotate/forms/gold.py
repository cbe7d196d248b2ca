from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from annotate.gold import MOST_BYTES, MOST_EXPLAINED, GoldPair, gold_pair, too_large
from annotate.models import Gold
from pairselect.pools.reading.rows import BadRow


class GoldForm(forms.Form):
    """One pair, typed in."""

    use = forms.ChoiceField(
        label=_("Use"),
        choices=[
            (
                Gold.Use.CHECK,
                _("Check: among the other comparisons, unannounced, once for each person"),
            ),
            (
                Gold.Use.ONBOARDING,
                _("Onboarding: before the work begins, explained after each answer"),
            ),
        ],
        initial=Gold.Use.CHECK,
        widget=forms.RadioSelect,
    )
    prompt = forms.CharField(
        label=_("Prompt"),
        strip=False,
        widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
        help_text=_("A text, or a conversation as a JSON list of messages with role and content."),
    )
    better = forms.CharField(
        label=_("Better"), strip=False, widget=forms.Textarea(attrs={"rows": 5, "dir": "auto"})
    )
    worse = forms.CharField(
        label=_("Worse"), strip=False, widget=forms.Textarea(attrs={"rows": 5, "dir": "auto"})
    )
    explanation = forms.CharField(
        label=_("Explanation"),
        required=False,
        max_length=MOST_EXPLAINED,
        widget=forms.Textarea(attrs={"rows": 2, "dir": "auto"}),
        help_text=_("Why it is better. Markdown, shown in the onboarding after the answer."),
    )

    def clean(self) -> dict[str, Any]:
        found = {
            name: value.replace("\r\n", "\n") if isinstance(value, str) else value
            for name, value in self.cleaned_data.items()
        }
        if not self.errors:
            try:
                self.pair: GoldPair = gold_pair(found)
            except BadRow as bad:
                raise forms.ValidationError(str(bad)) from None
        return found


class GoldFileForm(forms.Form):
    file = forms.FileField(
        label=_("File"),
        help_text=_(
            "JSONL: an object a line with prompt, better and worse (or chosen and rejected), and "
            "perhaps explanation and use (check or onboarding; else check). At most 5 MB. Either "
            "all rows are stored or none."
        ),
        widget=forms.FileInput(attrs={"accept": ".jsonl,.ndjson,.json"}),
    )

    def clean_file(self) -> bytes:
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise forms.ValidationError(too_large())
        content: bytes = file.read()
        return content
