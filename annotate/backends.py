"""Who is logged in, fetched together with what every page says of them."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, QuerySet

from annotate.models import Campaign
from annotate.prepared import PERSON, Prepared


def _people() -> QuerySet[User]:
    theirs = Campaign.adjudicators.through.objects.filter(
        user=OuterRef("pk"), campaign__closed_at__isnull=True, campaign__archived_at__isnull=True
    )
    people = User.objects.select_related("preferences")
    return people.annotate(is_adjudicator=Exists(theirs)).filter(pk=PERSON).order_by()


_person = Prepared(_people)


class PersonBackend(ModelBackend):
    """Every page needs theme and language, and whether there is a way to the adjudicators' work:
    they come with the person, in the one query there is."""

    def get_user(self, user_id: Any) -> User | None:
        person = _person.first(person=user_id)
        return person if person is not None and self.user_can_authenticate(person) else None
