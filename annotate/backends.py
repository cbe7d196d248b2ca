"""Who is logged in, fetched together with how they want the pages to be."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User


class PersonBackend(ModelBackend):
    """Every page needs theme and language: they come with the person, in the one query there is."""

    def get_user(self, user_id: Any) -> User | None:
        person = User.objects.select_related("preferences").filter(pk=user_id).first()
        return person if person is not None and self.user_can_authenticate(person) else None
