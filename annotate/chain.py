"""The rounds of a campaign's designs: which came after which, and what each has brought."""

from dataclasses import dataclass

from annotate.models import Campaign
from annotate.queries import campaigns
from pairselect.designs.models import Design
from pairselect.designs.queries import chain_of

CONTROL = 10  # per cent of a next round's budget, where no round before had pairs drawn at random


@dataclass(frozen=True)
class Round:
    number: int  # 1-based: how many designs before it, and it
    design: Design
    campaigns: list[Campaign]  # with their ``labelled`` and ``total``
    random_percent: float  # of the budget, drawn at random
    is_here: bool


def rounds_of(campaign: Campaign) -> list[Round]:
    """From the first design on, those after the campaign's own among them."""
    numbers = {pk: place for place, pk in enumerate(reversed(chain_of(campaign.design)), 1)}
    newest = [campaign.design_id]
    while newest:
        later = Design.objects.filter(after__in=newest).order_by("pk").values_list("pk", "after")
        found = {pk: numbers[after] + 1 for pk, after in later if after is not None}
        numbers |= found
        newest = list(found)
    opened: dict[int, list[Campaign]] = {pk: [] for pk in numbers}
    for one in campaigns().filter(design__in=numbers).order_by("pk"):
        opened[one.design_id].append(one)
    designs = Design.objects.filter(pk__in=numbers)
    rows = [
        Round(
            number=numbers[design.pk],
            design=design,
            campaigns=opened[design.pk],
            random_percent=100.0 if design.is_control else 100 * design.random_share,
            is_here=design.pk == campaign.design_id,
        )
        for design in designs
    ]
    return sorted(rows, key=lambda one: (one.number, one.design.pk))


def lacks_control(campaign: Campaign) -> bool:
    """Whether no round up to this one had pairs drawn at random beside its own."""
    before = Design.objects.filter(pk__in=chain_of(campaign.design))
    return not any(design.is_control or design.random_share for design in before)


def first_values(campaign: Campaign) -> dict[str, object]:
    """What the form for the next round proposes."""
    values: dict[str, object] = {"budget": campaign.design.budget}
    return values | ({"random_share": CONTROL} if lacks_control(campaign) else {})
