from collections.abc import Iterator, Mapping
from typing import Any

from django import forms
from django.template.defaultfilters import floatformat
from django.utils.formats import localize
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from annotate.exporting.answers import has_rounds
from annotate.exporting.formats import FORMATS
from annotate.exporting.options import Extra, FileType, OneRow, OptionRefused, Options
from annotate.models import Campaign, Comparison

PERCENT = {"min": 0, "max": 100, "step": "any", "inputmode": "decimal"}
SHARES = ("min_agreement", "min_posterior", "test_share")  # typed in percent


class ExportForm(forms.Form):
    """What an export is to hold. Shares are typed in percent."""

    format = forms.ChoiceField(
        label=_("Format"),
        choices=[(one.name, one.title) for one in FORMATS.values()],
        initial="trl",
    )
    file_type = forms.ChoiceField(label=_("Files"), choices=FileType, initial=FileType.JSONL)
    one_row = forms.ChoiceField(label=_("One row for"), choices=OneRow, initial=OneRow.LABEL)
    rounds = forms.BooleanField(
        label=_("The rounds before this campaign too"),
        required=False,
        help_text=_("Labels of the campaigns whose designs this one follows, in the same file."),
    )
    machines = forms.BooleanField(
        label=_("Answers of machines too"),
        required=False,
        help_text=_("They are marked in every row."),
    )
    min_agreement = forms.FloatField(
        label=_("Least agreement on a pair"),
        required=False,
        min_value=0,
        max_value=100,
        help_text=_(
            "Percent of the pair’s labels that say what most of them say. With one row for each "
            "pair, those that an adjudicator decided stay."
        ),
        widget=forms.NumberInput(attrs=PERCENT),
    )
    min_posterior = forms.FloatField(
        label=_("Least probability that the chosen text is better"),
        required=False,
        min_value=0,
        max_value=100,
        help_text=_("Percent, given all answers and how reliable each person is."),
        widget=forms.NumberInput(attrs=PERCENT),
    )
    max_per_prompt = forms.IntegerField(
        label=_("Rows of a prompt, at most"), required=False, min_value=1, max_value=1_000_000
    )
    leave_flagged = forms.BooleanField(label=_("Leave out pairs with an open flag"), required=False)
    test_share = forms.FloatField(
        label=_("Prompts for testing"),
        required=False,
        min_value=0,
        max_value=90,
        initial=0,
        help_text=_(
            "Percent of the prompts, all rows of each, in a file of their own. A prompt stays on "
            "its side in later exports with the same seed."
        ),
        widget=forms.NumberInput(attrs=PERCENT | {"max": 90}),
    )
    seed = forms.IntegerField(
        label=_("Seed of the split"), required=False, min_value=0, max_value=2**31 - 1, initial=0
    )
    extras = forms.MultipleChoiceField(
        label=_("Further files"),
        choices=Extra,
        required=False,
        initial=Extra.values,
        widget=forms.CheckboxSelectMultiple,
    )

    MAIN = ("format", "one_row", "file_type")
    FILTERS = ("min_agreement", "min_posterior", "max_per_prompt", "leave_flagged")
    SOURCES = ("rounds", "machines")
    SPLIT = ("test_share", "seed")

    def __init__(self, data: Any = None, *, campaign: Campaign, **kwargs: Any) -> None:
        super().__init__(data, label_suffix="", **kwargs)
        if not has_rounds(campaign):
            del self.fields["rounds"]
        if not campaign.comparisons.filter(kind=Comparison.Kind.MACHINE).exists():
            del self.fields["machines"]

    def group(self, *names: str) -> list[forms.BoundField]:
        return [self[name] for name in names if name in self.fields]

    def main_fields(self) -> list[forms.BoundField]:
        return self.group(*self.MAIN)

    def filter_fields(self) -> list[forms.BoundField]:
        return self.group(*self.FILTERS)

    def source_fields(self) -> list[forms.BoundField]:
        return self.group(*self.SOURCES)

    def split_fields(self) -> list[forms.BoundField]:
        return self.group(*self.SPLIT)

    def clean(self) -> dict[str, Any]:
        found = self.cleaned_data
        if self.errors:
            return found
        kept = {name: value for name, value in found.items() if value is not None}
        for name in SHARES:
            if name in kept:
                kept[name] = kept[name] / 100
        kept["extras"] = tuple(kept["extras"])
        try:
            self.options = Options(**kept).check()
        except OptionRefused as problem:
            self.add_error(problem.field, str(problem))
        return found


def in_words(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What an export was asked for, as its form says it; what nobody asked for is left out."""
    for name, field in ExportForm.base_fields.items():
        value = options.get(name)
        if value in (None, False, 0, []):
            continue
        if name in SHARES:
            said = f"{floatformat(100 * value, -2)} %"
        elif isinstance(field, forms.ChoiceField):
            titles = dict(field.choices)  # type: ignore[arg-type]
            chosen = value if isinstance(value, list) else [value]
            said = ", ".join(str(titles.get(one, one)) for one in chosen)
        else:
            said = gettext("yes") if value is True else localize(value)
        yield str(field.label), said
