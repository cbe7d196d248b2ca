"""Who works in a campaign and what they are paid, changed by names: of commands and programs."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from annotate.adjudication import change_adjudication
from annotate.forms.campaigns import PriceForm
from annotate.models import Campaign
from annotate.queries import annotators as who_annotates
from annotate.queries import people_with_a_role
from pairselect.trail.actions import changed, record

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
        # As it is stored: what is not given keeps what another change made of it meanwhile.
        campaign = Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
        if annotators is not None:
            people = named(who_annotates(), annotators, "annotators")
            change_people(campaign, annotators=people)
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
    change_price(campaign, form.cleaned_data)


def change_price(campaign: Campaign, price: Mapping[str, Any]) -> None:
    """Reckon with this price from now on; ``price`` has all of `PRICE`."""
    with transaction.atomic():
        rows = Campaign.objects.select_for_update(no_key=True).filter(pk=campaign.pk)
        before = rows.values(*PRICE).get()
        rows.update(**price)
        if found := changed(before, price):
            record("campaign.price_changed", campaign, **found)


def who_came(people: QuerySet[User], seen: Collection[str]) -> list[User]:
    """Those who were not there yet when a form showed who was, by their ids as ``seen``: its
    sender has not taken them out. Nobody where it does not say whom it showed."""
    return [one for one in people if str(one.pk) not in seen] if seen else []


def change_people(campaign: Campaign, **people: Iterable[User]) -> None:
    """Have these people, and nobody else, as the campaign's annotators, or adjudicators."""
    _have(campaign, people, others_stay=False)


def add_people(campaign: Campaign, **people: Iterable[User]) -> None:
    """Have these people too. Whoever is there, or comes meanwhile, stays."""
    _have(campaign, people, others_stay=True)


def _have(campaign: Campaign, people: Mapping[str, Iterable[User]], *, others_stay: bool) -> None:
    with transaction.atomic():
        for role, chosen in people.items():
            rows = getattr(campaign, role)
            before = sorted(one.username for one in rows.all())
            chosen = list(chosen)
            if others_stay:
                rows.add(*chosen)
            else:
                rows.set(chosen)
            stay = before if others_stay else []
            after = sorted({*stay, *(one.username for one in chosen)})
            if found := changed({role: before}, {role: after}):
                record("campaign.people_changed", campaign, **found)
