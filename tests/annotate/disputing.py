"""Labels that differ, and decisions on them, given the way the product gives them."""

from typing import Any

from django.contrib.auth.models import User

from annotate.answering import Details, Outcome, answer
from annotate.leasing import next_comparison
from annotate.models import Campaign, Comparison, Judgement
from tests.annotate.giving import prefer
from tests.conftest import People, give, make_campaign

Kind = Comparison.Kind


def disputed(people: People, *, adjudicate: str = "any", prompts: int = 3, k: int = 2) -> Campaign:
    everybody = [people.anna, people.ben, people.stranger][:k]
    campaign = make_campaign(
        *everybody, prompts=prompts, labels_per_pair=k, adjudicate=adjudicate, strengths=3
    )
    campaign.adjudicators.add(people.admin)
    return campaign


def asked(campaign: Campaign) -> list[int]:
    """Places in the queue of the pairs that wait for a decision."""
    rows = campaign.comparisons.filter(kind=Kind.ADJUDICATION, labelled_at__isnull=True)
    return list(rows.values_list("position", flat=True))


def say(campaign: Campaign, person: User, said: str) -> Judgement:
    """Of the person's next comparison: first, second, tie, both_bad."""
    if said in ("first", "second"):
        return prefer(campaign, person, first=said == "first")
    return give(campaign, person, said)


def decide(campaign: Campaign, person: User, choice: str, **details: Any) -> Judgement:
    comparison = next_comparison(campaign, person, adjudicating=True)
    assert comparison is not None
    assert comparison.lease is not None
    lease = comparison.lease
    said = Judgement.Choice(choice)
    outcome = answer(comparison, person, choice=said, lease=lease, details=Details(**details))
    assert outcome is Outcome.STORED
    return Judgement.objects.get(lease=lease)
