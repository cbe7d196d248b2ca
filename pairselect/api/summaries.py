"""Tokens as the commands' ``--json`` tells of them."""

from datetime import datetime

from typing_extensions import TypedDict

from pairselect.api.models import Token


class TokenSummary(TypedDict):
    id: int
    username: str
    name: str
    prefix: str
    scopes: list[str]
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None


def token_summary(token: Token) -> TokenSummary:
    return TokenSummary(
        id=token.pk,
        username=token.user.get_username(),
        name=token.name,
        prefix=token.prefix,
        scopes=token.scopes,
        last_used_at=token.last_used_at,
        expires_at=token.expires_at,
        revoked_at=token.revoked_at,
    )
