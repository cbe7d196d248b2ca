"""The answers of a campaign as its page offers them, from the left to the right."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from annotate.keys import ACTIONS, as_shown
from annotate.models import Campaign

Words = str | Promise

# From the weakest step to the strongest, as many as the campaign has.
DEGREES: dict[int, list[Words]] = {
    1: [_("is better")],
    2: [_("better"), _("much better")],
    3: [_("slightly better"), _("better"), _("much better")],
}
SIDES: dict[str, Words] = {"left": _("Left"), "right": _("Right")}


@dataclass(frozen=True)
class Button:
    value: str
    title: Words  # for a side, which one
    degree: Words  # for a side, how much better it is
    action: str  # as in annotate.keys
    key: str
    kind: str  # side, middle: how it looks

    @property
    def shown(self) -> str:
        return as_shown(self.key)


def key_list(campaign: Campaign, keys: dict[str, str]) -> list[tuple[str, str]]:
    """What the page's help shows: each act that the campaign offers, with its key."""
    bar = bar_of(campaign, keys)
    answers = [(f"{button.title} {button.degree}".strip(), button.shown) for button in bar]
    offered = {
        "skip": campaign.skips,
        "flag": campaign.flags,
        "reason": campaign.reason != Campaign.Reason.OFF,
        "criteria": bool(campaign.criteria),
        "edit": campaign.edits,
        "tie": False,  # among the answers
        "both_bad": False,
    }
    others = [
        (str(action.title), as_shown(keys[action.name]))
        for action in ACTIONS
        if not action.name.startswith("answer_") and offered.get(action.name, True)
    ]
    return [*answers, *others]


def bar_of(campaign: Campaign, keys: dict[str, str]) -> list[Button]:
    """Left from strong to weak, tie and both bad in the middle, right from weak to strong."""
    steps = campaign.strengths
    sides = [("left", step) for step in range(steps, 0, -1)]
    sides += [("right", step) for step in range(1, steps + 1)]
    buttons = [
        Button(
            value=f"{side}:{step}" if steps > 1 else side,
            title=SIDES[side],
            degree=DEGREES[steps][step - 1],
            action=f"answer_{place}",
            key=keys[f"answer_{place}"],
            kind="side",
        )
        for place, (side, step) in enumerate(sides, start=1)
    ]
    middle = []
    if campaign.ties:
        middle.append(Button("tie", _("Tie"), "", "tie", keys["tie"], "middle"))
    if campaign.both_bad:
        middle.append(Button("both_bad", _("Both bad"), "", "both_bad", keys["both_bad"], "middle"))
    return [*buttons[:steps], *middle, *buttons[steps:]]
