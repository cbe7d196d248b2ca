from django.conf import settings
from django.http import HttpRequest

from pairselect.accounts.roles import is_admin


def roles(request: HttpRequest) -> dict[str, bool]:
    user = getattr(request, "user", None)
    return {
        "is_admin": user is not None and is_admin(user),
        "password_login": settings.PASSWORD_LOGIN,
    }
