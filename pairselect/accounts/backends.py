"""Who may try a password at all; whether it is right, the backend after this one says."""

from typing import Any

from axes.backends import AxesStandaloneBackend
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest


class DoorBackend(AxesStandaloneBackend):  # type: ignore[misc]
    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Stop whoever has guessed too often, and everybody where passwords are switched off.

        Raises
        ------
        PermissionDenied
            No other backend is asked then.
        """
        if not settings.PASSWORD_LOGIN:
            raise PermissionDenied
        super().authenticate(request, username=username, password=password, **kwargs)
