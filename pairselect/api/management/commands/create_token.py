from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from pairselect.api.models import Token
from pairselect.api.summaries import token_summary
from pairselect.api.tokens import make_token, scopes_open_to
from pairselect.jobs.terminal import JsonCommand, NotFound


class Command(JsonCommand):
    help = "Make a token of the API for a person, or a machine, and print its secret, once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", required=True, help="where it will be used, to know it by")
        parser.add_argument(
            "--scope",
            action="append",
            choices=Token.Scope.values,
            metavar="SCOPE",
            help=f"{', '.join(Token.Scope.values)}; repeatable; else all that the person may have",
        )
        parser.add_argument("--days", type=int, help="how long it lasts; else until it is revoked")

    def handle(
        self,
        *args: Any,
        username: str,
        name: str,
        scope: list[str] | None,
        days: int | None,
        **options: Any,
    ) -> None:
        user = User.objects.filter(username=username, is_active=True).first()
        if user is None:
            raise NotFound(f"There is no active account “{username}”. Make one with create_person.")
        if not 0 < len(name.strip()) <= 100:
            raise CommandError("--name: 1 to 100 characters.")
        if Token.objects.filter(user=user, name=name.strip(), revoked_at__isnull=True).exists():
            raise CommandError(f"There is a token “{name}” already. Give another --name.")
        if days is not None and not 0 < days <= 3650:
            raise CommandError("--days: from 1 to 3650.")
        allowed = [str(one) for one in scopes_open_to(user)]
        for one in scope or ():
            if one not in allowed:
                raise CommandError(f"--scope {one}: {username} may only have {', '.join(allowed)}.")
        expires_at = None if days is None else timezone.now() + timedelta(days=days)
        token, secret = make_token(
            user, name=name.strip(), scopes=scope or allowed, expires_at=expires_at
        )
        self.tell(secret, {**token_summary(token), "secret": secret})
