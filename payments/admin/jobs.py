"""Periodic jobs: when each was last queued, and is next due."""

from __future__ import annotations

from django.contrib import admin

from payments.admin.records import Record
from woovi.queue.models import PeriodicJob


@admin.register(PeriodicJob)
class PeriodicJobAdmin(Record):
    """The timetable, which the relays keep."""

    list_display = ("name", "queued_at", "due_at", "requeued", "requeued_at")
