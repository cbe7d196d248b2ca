"""Tokens: made, found by their secret, taken back."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from pairselect.accounts.roles import is_admin
from pairselect.api.models import Token
from pairselect.trail.actions import record

START = "pair_"  # by which people, and scanners of leaked secrets, know one
SHOWN = 9  # characters that tell tokens apart
USED_EVERY = timedelta(minutes=1)  # at most so often it is written that a token is used


def scopes_open_to(person: User) -> list[Token.Scope]:
    """What a token of the person's can be good for; it never gives more than the person may."""
    scope = Token.Scope
    return list(scope) if is_admin(person) else [scope.READ, scope.JUDGE]


def make_token(
    user: User,
    *,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime | None = None,
    created_by: User | None = None,
) -> tuple[Token, str]:
    """The token and its secret, which is kept nowhere."""
    secret = START + secrets.token_urlsafe(32)
    with transaction.atomic():
        token = Token.objects.create(
            user=user,
            name=name,
            prefix=secret[:SHOWN],
            digest=digest_of(secret),
            scopes=[str(one) for one in Token.Scope if one in set(scopes)],
            expires_at=expires_at,
            created_by=created_by or user,
        )
        record("token.made", token, person=created_by, of=user.username, scopes=token.scopes)
    return token, secret


def token_of(secret: str) -> Token | None:
    """The valid token with that secret, of a person who is active."""
    found = Token.objects.select_related("user").filter(digest=digest_of(secret)).first()
    return found if found is not None and found.is_valid and found.user.is_active else None


def note_use(token: Token) -> None:
    now = timezone.now()
    late = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - USED_EVERY)
    if token.last_used_at is None or token.last_used_at < now - USED_EVERY:
        Token.objects.filter(late, pk=token.pk).update(last_used_at=now)


def revoke(token: Token) -> None:
    """Nothing is done with it any more; the row stays, to tell what was."""
    with transaction.atomic():
        rows = Token.objects.filter(pk=token.pk, revoked_at__isnull=True)
        if rows.update(revoked_at=timezone.now()):
            record("token.revoked", token, of=token.user.username)


def tokens_of(person: User) -> QuerySet[Token]:
    return Token.objects.filter(user=person).select_related("created_by")


def digest_of(secret: str) -> str:
    # Of 256 random bits nothing can be guessed, so a slow hash would protect nothing more.
    return hashlib.sha256(secret.encode()).hexdigest()
