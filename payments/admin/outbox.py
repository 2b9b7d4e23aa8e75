"""Events of the outbox."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from payments.admin.records import Record
from woovi.outbox.models import OutboxEvent


@admin.register(OutboxEvent)
class OutboxEventAdmin(Record):
    """Events, relayed or waiting."""

    list_display = ("id", "event_id", "topic", "tenant", "created_at", "relayed_at", "attempts")
    list_filter = (("relayed_at", admin.EmptyFieldListFilter),)
    search_fields = ("event_id__exact", "topic__exact", "tenant__exact")
    search_help_text = _("Event id, topic, or tenant (the company's number)")
    ordering = ("-id",)
    readonly_fields = ("event_id",)
