from django.contrib import admin

from pairselect.accounts.readonly import ReadOnlyAdmin
from pairselect.jobs.models import Job


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    list_display = [
        "id", "kind", "subject_id", "status", "attempt", "done", "total", "worker",
        "heartbeat_at", "created_by",
    ]  # fmt: skip
    list_filter = ["status", "kind"]
    list_select_related = ["created_by"]
    search_fields = ["=subject_id", "worker", "error", "message"]
    date_hierarchy = "created_at"
