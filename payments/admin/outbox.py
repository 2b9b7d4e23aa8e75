"""Events of the outbox."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from payments.admin.records import Record, link
from payments.models import Company
from woovi.outbox.models import OutboxEvent


def companies_of(events: list[Any]) -> None:
    """Put each event's company, of which it keeps only the number, at the event: in one query."""
    found = Company.objects.in_bulk({int(event.tenant) for event in events if event.tenant.isdecimal()})
    for event in events:
        event.of = found.get(int(event.tenant)) if event.tenant.isdecimal() else None


class EventList(ChangeList):
    """Events with their companies."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        events: list[Any] = list(self.result_list)
        companies_of(events)
        self.result_list = events


@admin.register(OutboxEvent)
class OutboxEventAdmin(Record):
    """Events, relayed or waiting."""

    list_display = ("id", "event_id", "topic", "company", "created_at", "relayed_at", "attempts")
    list_filter = (("relayed_at", admin.EmptyFieldListFilter),)
    search_fields = ("event_id__exact", "topic__exact", "tenant__exact")
    search_help_text = _("Event id, topic, or tenant (the company's number)")
    ordering = ("-id",)
    readonly_fields = ("event_id", "company")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return EventList

    @admin.display(description=_("Company"))
    def company(self, event: Any) -> SafeString | str:
        if not hasattr(event, "of"):
            companies_of([event])
        return link(event.of)
