"""An answer as the comparison page sends it, checked against what its campaign asks."""

import hashlib
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from annotate.answering import Details
from annotate.models import Campaign, Flag, Guideline, Judgement
from annotate.queries import version_of

Choice = Judgement.Choice
MOST_CHARACTERS = 20_000  # of a reason
MOST_EDITED = 200_000
LONGEST = 60 * 60 * 24 * 7.0  # seconds; a page left open for longer says nothing
SIDES = [("left", _("Left")), ("same", _("Same")), ("right", _("Right"))]


def choices_of(campaign: Campaign) -> list[Choice]:
    """What may be answered there."""
    asked = {
        Choice.TIE: campaign.ties,
        Choice.BOTH_BAD: campaign.both_bad,
        Choice.SKIP: campaign.skips,
    }
    return [choice for choice in Choice if asked.get(choice, True)]


class LinesField(forms.CharField):
    """A text of several lines, with the line ends that its page counts and not a form's."""

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        return text.replace("\r\n", "\n").replace("\r", "\n") if text else text


class SecondsField(forms.Field):
    """A page's own count of seconds. A clock that went wrong is no reason to refuse an answer."""

    def clean(self, value: Any) -> float | None:
        try:
            seconds = float(value)
        except (TypeError, ValueError):
            return None
        return min(seconds, LONGEST) if seconds >= 0 else None


def criterion_field(name: str) -> str:
    """The criterion's field: of its name, so that an answer which was under way while criteria
    changed places is not taken for another's."""
    return f"criterion_{hashlib.blake2b(name.encode(), digest_size=6).hexdigest()}"


class AnswerForm(forms.Form):
    """``choice`` is a name of `Judgement.Choice`; of a side also with its strength, "left:2"."""

    choice = forms.CharField(
        max_length=20, error_messages={"required": _("Choose one of the answers.")}
    )
    token = forms.UUIDField(
        error_messages=dict.fromkeys(
            ("required", "invalid"), _("This page is out of date. Reload it and answer again.")
        )
    )
    replaces = forms.IntegerField(min_value=1, max_value=2**63 - 1, required=False)
    reason = LinesField(
        max_length=MOST_CHARACTERS,
        required=False,
        error_messages={"max_length": _("The reason is too long. Shorten it.")},
    )
    skip_reason = forms.ChoiceField(
        choices=[("", ""), *Judgement.SkipReason.choices], required=False
    )
    edit = LinesField(
        max_length=MOST_EDITED,
        required=False,
        strip=False,
        error_messages={"max_length": _("The edit is too long. Shorten it.")},
    )
    edit_of = forms.ChoiceField(choices=[("", ""), *SIDES], required=False)
    guideline = forms.IntegerField(min_value=1, max_value=2**63 - 1, required=False)
    seconds = SecondsField()
    active_seconds = SecondsField()

    def __init__(self, campaign: Campaign, data: Any = None) -> None:
        super().__init__(data)
        self.campaign = campaign
        for name in campaign.criteria:
            self.fields[criterion_field(name)] = forms.ChoiceField(
                label=name, choices=[("", ""), *SIDES], required=False
            )

    def clean_choice(self) -> tuple[Choice, int | None]:
        name, _colon, steps = self.cleaned_data["choice"].partition(":")
        asked = [""]
        if name in (Choice.LEFT, Choice.RIGHT) and self.campaign.strengths > 1:
            asked = [str(step) for step in range(1, self.campaign.strengths + 1)]
        if name not in choices_of(self.campaign) or steps not in asked:
            raise forms.ValidationError(_("That is not an answer here. Choose one of the buttons."))
        return Choice(name), int(steps) if steps else None

    def clean_edit(self) -> str:
        edit: str = self.cleaned_data["edit"]
        return edit if edit.strip() else ""

    def clean_guideline(self) -> Guideline | None:
        """The version that the person had before them, if it is one of the campaign's."""
        number = self.cleaned_data["guideline"]
        return version_of(self.campaign, number) if number else None

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or self.cleaned_data
        if "choice" not in found:
            return found
        choice, _strength = found["choice"]
        if choice == Choice.SKIP:
            if not found.get("skip_reason"):
                self.add_error("skip_reason", _("Say why you skip it."))
            return found
        if self._needs_reason(choice) and not found.get("reason"):
            self.add_error("reason", _("A reason is asked for with this answer. Write one."))
        if self.campaign.criteria_required and len(self._criteria()) < len(self.campaign.criteria):
            self.add_error(None, _("Answer every criterion first."))
        self._check_edit(choice)
        return found

    def details(self) -> Details:
        found = self.cleaned_data
        choice, strength = found["choice"]
        skipped = choice == Choice.SKIP
        return Details(
            strength=strength,
            criteria={} if skipped else self._criteria(),
            reason=found["reason"],
            skip_reason=found["skip_reason"] if skipped else "",
            edit="" if skipped else found["edit"],
            edit_of=found["edit_of"],
            seconds=found["seconds"],
            active_seconds=found["active_seconds"],
            guideline=found["guideline"],
        )

    def first_error(self) -> str:
        return next(str(errors[0]) for errors in self.errors.values())

    def _criteria(self) -> dict[str, str]:
        values = {
            name: self.cleaned_data.get(criterion_field(name), "")
            for name in self.campaign.criteria
        }
        return {name: value for name, value in values.items() if value}

    def _needs_reason(self, choice: Choice) -> bool:
        asked = self.campaign.reason == Campaign.Reason.REQUIRED
        return asked and (not self.campaign.reason_at or choice in self.campaign.reason_at)

    def _check_edit(self, choice: Choice) -> None:
        if not self.cleaned_data.get("edit"):
            return
        side = self.cleaned_data.get("edit_of")
        if not self.campaign.edits:
            self.add_error("edit", _("This campaign takes no edits."))
        elif side not in ("left", "right"):
            self.add_error("edit", _("Say which of the two was edited."))
        elif choice in (Choice.LEFT, Choice.RIGHT) and side != choice:
            self.add_error(
                "edit", _("The edit is of the other side. Edit the better one, or clear the edit.")
            )


class UndoForm(forms.Form):
    judgement = forms.IntegerField(min_value=1, max_value=2**63 - 1)


class ReadForm(forms.Form):
    guideline = forms.IntegerField(min_value=1, max_value=2**63 - 1)


class FlagForm(forms.Form):
    kind = forms.ChoiceField(
        choices=Flag.Kind.choices,
        error_messages={"required": _("Say what is wrong with it.")},
        widget=forms.RadioSelect,
    )
    note = forms.CharField(max_length=2_000, required=False)
