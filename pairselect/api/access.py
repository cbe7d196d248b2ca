"""Who may do what: each operation names a scope, and whether it is for admins alone."""

from django.contrib.auth.models import User
from django.http import HttpRequest
from ninja.security import HttpBearer

from pairselect.accounts.roles import is_admin, signed_in
from pairselect.api.errors import ApiError, unauthorized
from pairselect.api.limits import count_request
from pairselect.api.models import Token
from pairselect.api.tokens import note_use, token_of

Scope = Token.Scope


class Bearer(HttpBearer):
    """Lets a request in by its token alone; a session's cookie counts for nothing here.

    Parameters
    ----------
    scope
        That the token must have.
    admin
        Whether its person must be an admin.
    """

    def __init__(self, scope: Token.Scope | None, *, admin: bool = True) -> None:
        super().__init__()
        self.scope, self.admin = scope, admin

    def authenticate(self, request: HttpRequest, token: str) -> Token:
        found = token_of(token.strip())
        if found is None:
            raise unauthorized()
        count_request(found)
        note_use(found)
        if self.scope is not None and self.scope not in found.scopes:
            raise ApiError(
                403,
                f"This token has not the scope “{self.scope.value}”. Make one that has it.",
                code="scope",
            )
        if self.admin and not is_admin(found.user):
            raise ApiError(403, "This is for admins.")
        request.user = found.user
        return found


def person(request: HttpRequest) -> User:
    """Whose token the request carries."""
    return signed_in(request)
