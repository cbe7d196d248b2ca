from django.contrib import admin

from pairselect.jobs.models import Job


@admin.register(Job)
class JobAdmin(admin.ModelAdmin[Job]):
    list_display = ["id", "kind", "subject_id", "status", "attempt", "done", "total", "worker"]
    list_filter = ["kind", "status"]
    search_fields = ["error", "message"]
