from datetime import datetime

from django.http import HttpRequest
from ninja import Router
from typing_extensions import TypedDict

from pairselect.accounts.roles import ADMIN, ANNOTATOR, is_admin
from pairselect.api.access import Bearer, person
from pairselect.api.models import Token

router = Router(tags=["Token"])


class Me(TypedDict):
    username: str
    role: str  # admin or annotator
    token: str  # its name
    scopes: list[str]
    expires_at: datetime | None


@router.get("/me", auth=Bearer(None, admin=False), response=Me, summary="Who am I")
def get_me(request: HttpRequest) -> Me:
    """Whose token this is, and what it is good for."""
    token: Token = request.auth  # type: ignore[attr-defined]
    user = person(request)
    return Me(
        username=user.get_username(),
        role=ADMIN if is_admin(user) else ANNOTATOR,
        token=token.name,
        scopes=token.scopes,
        expires_at=token.expires_at,
    )
