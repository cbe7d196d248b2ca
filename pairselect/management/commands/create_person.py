from typing import Any

from django.core.management.base import CommandError, CommandParser

from pairselect.accounts.actions import create_person
from pairselect.accounts.forms import PersonForm
from pairselect.accounts.roles import ANNOTATOR, ROLES
from pairselect.jobs.terminal import JsonCommand


class Command(JsonCommand):
    help = "Make an account and print its password, once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--role", default=ANNOTATOR, choices=ROLES)

    def handle(self, *args: Any, username: str, role: str, **options: Any) -> None:
        form = PersonForm({"username": username, "role": role})
        if not form.is_valid():
            raise CommandError(form.first_error())
        user, password = create_person(form.cleaned_data["username"], role=role)
        self.tell(
            f"{user.username} ({role}), password {password}",
            {"id": user.pk, "username": user.username, "role": role, "password": password},
        )
