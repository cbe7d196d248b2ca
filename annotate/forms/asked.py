"""What a campaign asks its annotators, on the page and at the terminal. Shares are in percent
here; what comes out are values of `Campaign`'s fields."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.forms import BoundField
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from annotate.models import Campaign, Judgement
from pairselect.designs.fields import percent

MOST_CRITERIA = 8
LONGEST_CRITERION = 60
MOST_CHECKS = 50  # per cent of the answers, repeats and gold together

Choice = Judgement.Choice
REASON_AT = {
    "side": [Choice.LEFT, Choice.RIGHT],
    "tie": [Choice.TIE],
    "both_bad": [Choice.BOTH_BAD],
}
SHARES = ("repeat_share", "gold_share", "passing_mark")


@dataclass(frozen=True)
class Group:
    """Fields that belong together, as the page lays them out."""

    title: str | Promise
    fields: list[BoundField]


GROUPS: list[tuple[str | Promise, tuple[str, ...]]] = [
    (_("Answers"), ("strengths", "ties", "both_bad", "skips", "flags")),
    (
        _("Besides the answer"),
        ("reason", "reason_at", "criteria", "criteria_required", "edits"),
    ),
    (_("Fairness"), ("labels_per_pair", "repeat_share", "gold_share", "mask_identities")),
    (_("People"), ("passing_mark", "mix_window", "pause_minutes")),
]


class AskedForm(forms.Form):
    """Of a new campaign, or of ``campaign``, whose values a field that was not sent keeps.

    ``fixed`` are fields that can be changed no more, with the sentence that says why.
    """

    strengths = forms.TypedChoiceField(
        label=_("Strength of a preference"),
        choices=[
            (1, _("None: left or right is better")),
            (2, _("Two steps: better, much better")),
            (3, _("Three steps: slightly better, better, much better")),
        ],
        coerce=int,
        empty_value=None,
        initial=1,
        required=False,
        widget=forms.RadioSelect,
        help_text=_("More steps tell more of each pair, and take longer to choose from."),
    )
    ties = forms.BooleanField(label=_("Ties"), required=False, initial=True)
    both_bad = forms.BooleanField(
        label=_("Both bad"),
        required=False,
        initial=True,
        help_text=_("Without it people choose between two that nobody should learn from."),
    )
    skips = forms.BooleanField(
        label=_("Skip, with a reason"),
        required=False,
        initial=True,
        help_text=_("A skipped pair goes to somebody else."),
    )
    flags = forms.BooleanField(
        label=_("Flag for an admin"),
        required=False,
        initial=True,
        help_text=_("Flags come to you; the pair is still answered."),
    )
    reason = forms.ChoiceField(
        label=_("Reason in words"),
        choices=Campaign.Reason.choices,
        initial=Campaign.Reason.OPTIONAL,
        required=False,
        help_text=_("A required one takes longer than the choice itself."),
    )
    reason_at = forms.MultipleChoiceField(
        label=_("Required with"),
        choices=[("side", _("left or right")), ("tie", _("ties")), ("both_bad", _("both bad"))],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Where a reason is required. None of them: with every answer."),
    )
    criteria = forms.CharField(
        label=_("Criteria"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
        help_text=_(
            "One a line, at most 8: left, right or the same for each. Each adds a few seconds. "
            "Usual ones are Helpfulness, Harmlessness and Honesty."
        ),
    )
    criteria_required = forms.BooleanField(
        label=_("Every criterion must be answered"), required=False
    )
    edits = forms.BooleanField(
        label=_("The better one may be edited"),
        required=False,
        help_text=_("An edit is a third completion, and takes minutes."),
    )
    labels_per_pair = forms.IntegerField(
        label=_("Labels a pair"),
        min_value=1,
        max_value=9,
        required=False,
        initial=1,
        help_text=_("From as many people: 3 cost three times the labels of 1, and show agreement."),
    )
    repeat_share = percent(
        MOST_CHECKS,
        label=_("Repeats, % of the answers"),
        initial=5,
        help_text=_(
            "At 5, 5% of the answers are spent on pairs shown again with sides swapped: they show "
            "how consistent each person is."
        ),
    )
    gold_share = percent(
        MOST_CHECKS,
        label=_("Gold pairs, % of the answers"),
        initial=0,
        help_text=_(
            "At 5, 5% of the answers are spent on pairs whose answer you know. You add them on "
            "the campaign’s page."
        ),
    )
    mask_identities = forms.BooleanField(
        label=_("Hide which model wrote a text"),
        required=False,
        help_text=_("Where a text says so itself. Exports keep it as it was written."),
    )
    mix_window = forms.IntegerField(
        label=_("Easy and hard pairs take turns within"),
        min_value=0,
        max_value=100,
        required=False,
        initial=10,
        help_text=_(
            "Pairs of the queue. The wider, the further from the design’s best pairs is work that "
            "stops early. 0: in the design’s order."
        ),
    )
    pause_minutes = forms.IntegerField(
        label=_("Propose a pause after, minutes"),
        min_value=0,
        max_value=600,
        required=False,
        initial=50,
        help_text=_("Of work. 0: never."),
    )
    passing_mark = percent(
        100,
        label=_("Onboarding: right answers to pass, %"),
        help_text=_(
            "Of the onboarding’s gold pairs, which everybody answers first. Empty: no onboarding."
        ),
    )

    def __init__(
        self,
        data: Any = None,
        *args: Any,
        campaign: Campaign | None = None,
        fixed: Mapping[str, str | Promise] | None = None,
        **kwargs: Any,
    ) -> None:
        if campaign is not None:
            present = asked_of(campaign)
            kwargs["initial"] = present | (kwargs.get("initial") or {})
            if data is not None:  # of a disabled field browsers send nothing
                data = data.copy()
                for name in set(fixed or {}) - set(data):
                    data[name] = present[name]
        super().__init__(data, *args, **kwargs)
        for field in self.fields.values():
            if isinstance(field, forms.BooleanField):
                field.label_suffix = ""
        for name, why in (fixed or {}).items():
            field = self.fields[name]
            field.help_text = str(why)
            field.widget.attrs["disabled"] = True  # of the page alone: what is sent is looked at

    def groups(self) -> list[Group]:
        return [Group(title, [self[name] for name in names]) for title, names in GROUPS]

    def clean_strengths(self) -> int:
        return int(self._or_usual("strengths"))

    def clean_reason(self) -> str:
        return str(self._or_usual("reason"))

    def clean_labels_per_pair(self) -> int:
        return int(self._or_usual("labels_per_pair"))

    def clean_mix_window(self) -> int:
        return int(self._or_usual("mix_window"))

    def clean_pause_minutes(self) -> int:
        return int(self._or_usual("pause_minutes"))

    def clean_repeat_share(self) -> float:
        return _share(self._or_usual("repeat_share"))

    def clean_gold_share(self) -> float:
        return _share(self._or_usual("gold_share"))

    def clean_passing_mark(self) -> float | None:
        value = self.cleaned_data["passing_mark"]
        return None if value is None else _share(value)

    def clean_reason_at(self) -> list[str]:
        """The choices in their order; none where it is all of them."""
        named = self.cleaned_data["reason_at"]
        if len(named) == len(REASON_AT):
            return []
        return [str(one) for name, choices in REASON_AT.items() if name in named for one in choices]

    def clean_criteria(self) -> list[str]:
        found = [" ".join(line.split()) for line in self.cleaned_data["criteria"].splitlines()]
        found = [name for name in found if name]
        if len(found) > MOST_CRITERIA:
            raise forms.ValidationError(
                gettext("These are %(number)d criteria. Keep at most %(most)d.")
                % {"number": len(found), "most": MOST_CRITERIA}
            )
        seen = set()
        for name in found:
            if len(name) > LONGEST_CRITERION or not name.isprintable():
                raise forms.ValidationError(
                    gettext("A criterion is a line of at most %(most)d printable characters.")
                    % {"most": LONGEST_CRITERION}
                )
            if name.casefold() in seen:
                raise forms.ValidationError(
                    gettext("“%(name)s” is there twice. Name each criterion once.") % {"name": name}
                )
            seen.add(name.casefold())
        return found

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        if found.get("repeat_share", 0) + found.get("gold_share", 0) > MOST_CHECKS / 100 + 1e-9:
            self.add_error(
                "gold_share",
                _("Repeats and gold pairs together are more than half of the answers. Lower one."),
            )
        if found.get("reason") != Campaign.Reason.REQUIRED:
            found["reason_at"] = []
        elif found.get("reason_at"):
            offered = {Choice.TIE: found.get("ties"), Choice.BOTH_BAD: found.get("both_bad")}
            if not any(offered.get(Choice(name), True) for name in found["reason_at"]):
                self.add_error(
                    "reason_at", _("A reason is required only with answers that are not offered.")
                )
        if not found.get("criteria"):
            found["criteria_required"] = False
        return found

    def asked(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for _title, names in GROUPS for name in names}

    def _or_usual(self, name: str) -> Any:
        value = self.cleaned_data[name]
        return self.get_initial_for_field(self.fields[name], name) if value in (None, "") else value


def asked_of(campaign: Campaign) -> dict[str, Any]:
    """A campaign's values as the form's."""
    names = [name for _title, names in GROUPS for name in names]
    values = {name: getattr(campaign, name) for name in names}
    for name in SHARES:
        if values[name] is not None:
            share = round(100 * values[name], 6)
            values[name] = int(share) if share.is_integer() else share
    values["criteria"] = "\n".join(values["criteria"])
    values["reason_at"] = [
        name for name, choices in REASON_AT.items() if set(choices) <= set(values["reason_at"])
    ]
    return values


def _share(value: float) -> float:
    return round(value / 100, 8)
