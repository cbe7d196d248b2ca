"""Who works in a campaign and what they are paid, changed by names: of commands and programs."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from annotate.adjudication import change_adjudication
from annotate.forms.campaigns import PriceForm
from annotate.models import Campaign
from annotate.queries import annotators as who_annotates
from annotate.queries import people_with_a_role

PRICE = ("price", "priced_by", "currency")


class AmendmentRefused(Exception):
    """One of the changes cannot be; ``field`` names it. Nothing is changed then."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def amend(
    campaign: Campaign,
    *,
    annotators: Iterable[str] | None = None,
    adjudicate: str | None = None,
    adjudicators: Iterable[str] | None = None,
    **price: Any,
) -> None:
    """Change what is given, and keep the rest. ``price`` is of `PriceForm`'s fields.

    Raises
    ------
    AmendmentRefused
        With one sentence.
    """
    with transaction.atomic():
        if annotators is not None:
            campaign.annotators.set(named(who_annotates(), annotators, "annotators"))
        if adjudicate is not None or adjudicators is not None:
            rule = campaign.adjudicate if adjudicate is None else adjudicate
            if rule not in Campaign.Adjudicate:
                choices = ", ".join(Campaign.Adjudicate.values)
                raise AmendmentRefused("adjudicate", f"Say one of {choices}.")
            people = list(campaign.adjudicators.all())
            if adjudicators is not None:
                people = named(people_with_a_role(), adjudicators, "adjudicators")
            change_adjudication(campaign, adjudicate=rule, adjudicators=people)
        if given := {name: value for name, value in price.items() if value is not None}:
            _change_price(campaign, given)


def named(people: QuerySet[User], names: Iterable[str], field: str) -> list[User]:
    """The people of those names.

    Raises
    ------
    AmendmentRefused
        When there is none of one of the names.
    """
    found = {person.username: person for person in people.filter(username__in=list(names))}
    for name in names:
        if name not in found:
            what = "annotator" if field == "annotators" else "annotator or admin"
            raise AmendmentRefused(field, f"There is no active {what} “{name}”.")
    return list(found.values())


def _change_price(campaign: Campaign, given: Mapping[str, Any]) -> None:
    present = {name: getattr(campaign, name) for name in PRICE}
    form = PriceForm({**present, **given})
    if not form.is_valid():
        field, errors = next(iter(form.errors.items()))
        raise AmendmentRefused(field, str(errors[0]))
    Campaign.objects.filter(pk=campaign.pk).update(**form.cleaned_data)
