"""The log of operators' actions."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from payments.admin.records import Record


@admin.register(LogEntry)
class LogEntryAdmin(Record):
    """The audit log: who changed what, with old and new values."""

    list_display = ("action_time", "user", "content_type", "object_repr", "change")
    search_fields = ("user__email", "object_id__exact", "object_repr")
    search_help_text = _("The operator's e-mail, or what was changed")

    def get_queryset(self, request: HttpRequest) -> QuerySet[LogEntry]:
        return super().get_queryset(request).select_related("user", "content_type")

    @admin.display(description=_("What"))
    def change(self, entry: LogEntry) -> str:
        return str(entry)
