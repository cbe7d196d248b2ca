from django.contrib import admin

from pairselect.accounts.readonly import ManyRowsAdmin
from pairselect.trail.models import Entry, Seal


@admin.register(Entry)
class EntryAdmin(ManyRowsAdmin):
    list_display = ["at", "person_name", "via", "action", "subject_name", "request_id", "job_id"]
    list_filter = ["via"]


@admin.register(Seal)
class SealAdmin(ManyRowsAdmin):
    list_display = ["number", "entry_id", "digest"]
