"""Log-ins, and what changed about them."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from payments.admin.records import Record
from payments.models import SecurityEvent


@admin.register(SecurityEvent)
class SecurityEventAdmin(Record):
    """What happened to a person's log-in. The session's key is a secret."""

    list_display = ("id", "at", "user", "kind", "address", "browser")
    list_filter = ("kind",)
    list_select_related = ("user",)
    exclude = ("session_key",)
    search_fields = ("user__email__exact", "address__exact")
    search_help_text = _("The e-mail, or the address")
    ordering = ("-id",)
