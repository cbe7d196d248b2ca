from django.contrib import admin
from django.http import HttpRequest

from pairselect.accounts.readonly import ManyRowsAdmin, ReadOnlyAdmin
from pairselect.api.models import Replay, Token


@admin.register(Token)
class TokenAdmin(ReadOnlyAdmin):
    list_display = [
        "name", "prefix", "user", "scopes", "created_at", "last_used_at", "expires_at",
        "revoked_at",
    ]  # fmt: skip
    list_filter = ["user"]
    list_select_related = ["user"]
    search_fields = ["name", "=prefix", "user__username"]
    date_hierarchy = "created_at"
    exclude = ["digest"]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Not by the digest, which could be read letter by letter from what is found."""
        if lookup.startswith("digest") or request is None:
            return False
        return super().lookup_allowed(lookup, value, request)


@admin.register(Replay)
class ReplayAdmin(ManyRowsAdmin):
    list_display = ["id", "user", "key", "made", "created_at"]
    list_filter = ["user"]
    list_select_related = ["user"]
    search_fields = ["=key", "user__username"]
