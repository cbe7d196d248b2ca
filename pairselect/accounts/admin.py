from typing import Any

from allauth.account import admin as _account  # noqa: F401  # which registers its own first
from allauth.account.models import EmailAddress
from allauth.socialaccount import admin as _socialaccount  # noqa: F401
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth import admin as _auth  # noqa: F401
from django.contrib.auth.models import Group, User
from django.http import HttpRequest

from pairselect.accounts.actions import OPERATORS, change_operator
from pairselect.accounts.models import Invitation
from pairselect.accounts.readonly import ReadOnlyAdmin

admin.site.site_header = admin.site.site_title = "pairselect"
admin.site.index_title = "Rows as they are stored"
admin.site.unregister([User, Group, SocialAccount])
admin.site.unregister([SocialApp, SocialToken, EmailAddress])  # stay empty


@admin.register(User)
class PersonAdmin(ReadOnlyAdmin):
    """The one place that changes something: who is an operator. All else of an account is changed
    on People, where what hangs on it is changed too, and told."""

    list_display = ["username", "roles", "is_active", "is_staff", "last_login", "date_joined"]
    list_filter = ["groups", "is_active", "is_staff"]
    search_fields = ["username"]
    ordering = ["username"]
    date_hierarchy = "date_joined"
    readonly_fields = ["username", "roles", "is_active", "last_login", "date_joined"]
    fields = [*readonly_fields, *OPERATORS]

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return super(ReadOnlyAdmin, self).has_change_permission(request)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """A filter by the password's hash would find it, letter by letter."""
        if lookup.startswith("password") or request is None:
            return False
        return super().lookup_allowed(lookup, value, request)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        change_operator(obj, **{name: form.cleaned_data[name] for name in OPERATORS})

    def get_queryset(self, request: HttpRequest):  # type: ignore[no-untyped-def]
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description="role")
    def roles(self, person: User) -> str:
        return ", ".join(group.name for group in person.groups.all())


@admin.register(Group)
class RoleAdmin(ReadOnlyAdmin):
    list_display = ["name"]
    search_fields = ["name"]


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin):
    """Who renamed, put away or deleted what."""

    list_display = ["action_time", "user", "content_type", "object_repr", "change_message"]
    list_filter = ["action_flag", "content_type"]
    list_select_related = ["user", "content_type"]
    search_fields = ["object_repr", "change_message", "user__username"]
    date_hierarchy = "action_time"


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    list_display = ["id", "note", "role", "person", "created_by", "expires_at", "used_by"]
    list_filter = ["role", "used_at", "revoked_at"]
    list_select_related = ["person", "created_by", "used_by"]
    search_fields = ["note", "used_by__username", "created_by__username"]
    date_hierarchy = "created_at"


@admin.register(SocialAccount)
class SocialAccountAdmin(ReadOnlyAdmin):
    """Who logs in by OpenID Connect. There is at most one server: ``provider`` is always oidc."""

    list_display = ["user", "uid", "date_joined", "last_login"]
    list_filter = ["provider"]
    list_select_related = ["user"]
    search_fields = ["user__username", "uid"]
