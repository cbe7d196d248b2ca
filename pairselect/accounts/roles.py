"""Who may do what: two groups, and the decorators that views carry."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext

ADMIN = "admin"
ANNOTATOR = "annotator"
ROLES = (ADMIN, ANNOTATOR)
MACHINE = "machine:"  # begins the names of users that stand for models; no person's has a colon

P = ParamSpec("P")


def is_admin(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Whether the person spends the budget: in the admin group, or a superuser."""
    if not isinstance(user, User) or not user.is_active:
        return False
    if not hasattr(user, "_is_pairselect_admin"):
        user._is_pairselect_admin = (  # type: ignore[attr-defined]
            user.is_superuser or user.groups.filter(name=ADMIN).exists()
        )
    return bool(user._is_pairselect_admin)  # type: ignore[attr-defined]


def everybody() -> QuerySet[User]:
    """All people. Users that stand for models are none."""
    return User.objects.exclude(username__startswith=MACHINE)


def role_of(user: User) -> str:
    """The person's role, from groups that the caller has fetched for everybody."""
    names = {group.name for group in user.groups.all()}
    if user.is_superuser or ADMIN in names:
        return ADMIN
    return ANNOTATOR if ANNOTATOR in names else ""


def admin_required(
    view: Callable[Concatenate[HttpRequest, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """The view answers 403 to everybody but admins. Login itself is the middleware's."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not is_admin(request.user):
            raise PermissionDenied(gettext("This page is for admins."))
        return view(request, *args, **kwargs)

    return cast("Callable[Concatenate[HttpRequest, P], HttpResponseBase]", guarded)


def signed_in(request: HttpRequest) -> User:
    """The logged-in person. LoginRequiredMiddleware has made sure that there is one."""
    if not isinstance(request.user, User):
        raise PermissionDenied(gettext("Log in first."))
    return request.user
