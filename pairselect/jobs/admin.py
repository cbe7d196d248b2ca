from django.contrib import admin

from pairselect.accounts.readonly import ReadOnlyAdmin
from pairselect.jobs.models import Job


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    list_display = ["id", "kind", "subject_id", "status", "attempt", "done", "total", "worker"]
    list_filter = ["kind", "status"]
    search_fields = ["error", "message"]
