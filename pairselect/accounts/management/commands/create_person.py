from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from pairselect.accounts.actions import create_person
from pairselect.accounts.roles import ANNOTATOR, ROLES


class Command(BaseCommand):
    help = "Make an account and print its password, once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--role", default=ANNOTATOR, choices=ROLES)

    def handle(self, *args: Any, username: str, role: str, **options: Any) -> None:
        try:
            UnicodeUsernameValidator()(username)
        except ValidationError as problem:
            raise CommandError(problem.messages[0]) from problem
        if User.objects.filter(username=username).exists():
            raise CommandError(f"There is an account named “{username}”.")
        _, password = create_person(username, role=role)
        self.stdout.write(f"{username} ({role}), password {password}")
