"""Who may do what: each operation names a scope, and whether it is for admins alone."""

from django.contrib.auth.models import User
from django.http import HttpRequest
from ninja.security import HttpBearer

from pairselect.accounts.roles import is_admin, signed_in
from pairselect.api.errors import ApiError, unauthorized
from pairselect.api.limits import count_request, note_guess, note_known, refuse_guesses
from pairselect.api.models import Token
from pairselect.api.tokens import note_use, token_of
from pairselect.jobs.limits import LATER, TooManyJobs, check_room
from pairselect.trail.context import by_token

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
        secret = token.strip()
        refuse_guesses(request, secret)
        found = token_of(secret)
        if found is None:
            note_guess(request)
            raise unauthorized()
        note_known(found)
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
        by_token(found.name, found.user)
        return found


class Queues(Bearer):
    """As `Bearer`, for what hands in work: 429 to whoever has too much there."""

    def authenticate(self, request: HttpRequest, token: str) -> Token:
        found = super().authenticate(request, token)
        try:
            check_room(found.user)
        except TooManyJobs as problem:
            after = {"Retry-After": str(LATER)}
            raise ApiError(429, str(problem), code="too_many_jobs", headers=after) from problem
        return found


def person(request: HttpRequest) -> User:
    """Whose token the request carries."""
    return signed_in(request)
