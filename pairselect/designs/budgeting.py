"""A budget in labels, in money or in hours, and the number of labels that it comes to."""

from typing import Any

from django import forms
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from pairselect.designs.pace import measured_pace
from pairselect.pools.words import localised, whole

MOST = 2**31 - 1  # of an integer column
UNITS = (("labels", _("labels")), ("money", _("money")), ("hours", _("hours")))
PRICED_BY = (
    ("label", pgettext_lazy("what a price is for", "label")),
    ("hour", pgettext_lazy("what a price is for", "hour")),
)
NUMBERS = ("budget", "money", "price", "hours", "seconds_per_label")
BUDGET_FIELDS = ("unit", "priced_by", *NUMBERS)
FASTEST = 0.1  # seconds a label


def _any_number() -> forms.NumberInput:
    return forms.NumberInput(attrs={"step": "any"})


class BudgetForm(forms.Form):
    """What may be spent; ``cleaned_data["budget"]`` is the number of labels, each on one pair."""

    unit = forms.ChoiceField(
        choices=UNITS,
        initial="labels",
        required=False,
        label=_("Budget"),
        widget=forms.RadioSelect,
    )
    budget = forms.IntegerField(
        min_value=1,
        max_value=MOST,
        required=False,
        label=_("Labels"),
        help_text=_("How many pairs you will have labelled."),
    )
    money = forms.FloatField(
        min_value=0.01, max_value=1e12, required=False, label=_("Money"), widget=_any_number()
    )
    price = forms.FloatField(
        min_value=1e-6, max_value=1e9, required=False, label=_("Price"), widget=_any_number()
    )
    priced_by = forms.ChoiceField(
        choices=PRICED_BY, initial="label", required=False, label=_("for a"), label_suffix=""
    )
    hours = forms.FloatField(
        min_value=0.01, max_value=1e7, required=False, label=_("Hours"), widget=_any_number()
    )
    seconds_per_label = forms.FloatField(
        min_value=FASTEST, max_value=86400, required=False, label=_("Seconds a label"),
        widget=_any_number(),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.comes_to = ""  # how the number of labels was found, once the form is checked
        for name in NUMBERS:
            # A browser that finds a hidden one out of bounds sends nothing and says nothing.
            for bound in ("min", "max"):
                self.fields[name].widget.attrs.pop(bound, None)
        pace, seconds = measured_pace(), self.fields["seconds_per_label"]
        if pace is not None and pace.seconds < FASTEST:
            pace = None  # a script's answers, not people's
        seconds.help_text = gettext("No label has been timed yet: say what you expect.")
        if pace is not None:
            seconds.initial = round(pace.seconds, 1)
            said = ngettext(
                "Measured: %(seconds)s s, on the last label.",
                "Measured: %(seconds)s s, the mean of the last %(number)s labels.",
                pace.labels,
            )
            number = {
                "seconds": number_in_words(round(pace.seconds, 1)),
                "number": whole(pace.labels),
            }
            seconds.help_text = said % number

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        data["budget"] = self._labels(data)
        for name in BUDGET_FIELDS:
            if name != "budget":
                data.pop(name, None)
        return data

    def entry(self) -> dict[str, str]:
        """The budget as it was typed."""
        return {
            name: str(self.data[name])
            for name in BUDGET_FIELDS
            if self.data.get(name) not in (None, "")
        }

    def _unit(self, data: dict[str, Any]) -> str:
        """As chosen; at the terminal, that of the number that was given."""
        given = (name for name in ("money", "hours") if self.data.get(name) not in (None, ""))
        unit: str = data.get("unit") or next(given, "labels")
        return unit

    def _labels(self, data: dict[str, Any]) -> int | None:
        unit = self._unit(data)
        needed = ["budget" if unit == "labels" else unit]
        by_hour = data.get("priced_by") == "hour"
        if unit == "money":
            needed.append("price")
        if unit == "hours" or (unit == "money" and by_hour):
            needed.append("seconds_per_label")
            if not data.get("seconds_per_label") and "seconds_per_label" not in self.errors:
                data["seconds_per_label"] = self.fields["seconds_per_label"].initial
        for name in NUMBERS:
            if name not in needed:
                self.errors.pop(name, None)  # typed for another unit, and out of sight
        for name in needed:
            if data.get(name) is None and name not in self.errors:
                self.add_error(name, _missing(name))
        if any(name in self.errors for name in needed):
            return None
        if unit == "labels":
            return int(data["budget"])
        return self._bought(data, unit, by_hour=by_hour)

    def _bought(self, data: dict[str, Any], unit: str, *, by_hour: bool) -> int | None:
        """The whole labels that money or hours pay for."""
        spent, rate, seconds = data[unit], data.get("price"), data.get("seconds_per_label")
        said = {name: number_in_words(float(data[name] or 0)) for name in
                ("money", "price", "hours", "seconds_per_label") if data.get(name)}  # fmt: skip
        if unit == "money" and not by_hour:
            number = spent / rate
            sentence = gettext("%(money)s at %(price)s a label")
        elif unit == "money":
            number = spent / rate * 3600 / seconds
            sentence = gettext("%(money)s at %(price)s an hour and %(seconds_per_label)s s a label")
        else:
            number = spent * 3600 / seconds
            sentence = gettext("%(hours)s h at %(seconds_per_label)s s a label")
        labels = int(min(number, 2.0 * MOST) + 1e-9)
        if not 1 <= labels <= MOST:
            refusal = gettext("%(sum)s: that pays for no label. Raise it.")
            if labels:
                refusal = gettext("%(sum)s: that is more labels than any pool has. Lower it.")
            self.add_error(unit, refusal % {"sum": sentence % said})
            return None
        self.comes_to = ngettext(
            "%(sum)s: that is %(number)s label.", "%(sum)s: that is %(number)s labels.", labels
        ) % {"sum": sentence % said, "number": whole(labels)}
        return labels


def _missing(name: str) -> str:
    return {
        "budget": gettext("Say how many labels, or choose money or hours."),
        "money": gettext("Say how much money there is."),
        "price": gettext("Say what a label, or an hour of work, costs."),
        "hours": gettext("Say how many hours of work there are."),
        "seconds_per_label": gettext("Say how many seconds a label takes."),
    }[name]


def number_in_words(number: float) -> str:
    """“1,200”, “0.8”, “0.125”: as it was typed, to the sixth decimal."""
    return localised(f"{number:,.6f}".rstrip("0").rstrip("."))
