"""Operators' pages: read everything, change only through services."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from payments.admin import charges, companies, ledger, log, outbox, people, webhooks

__all__ = ["charges", "companies", "ledger", "log", "outbox", "people", "webhooks"]

admin.site.site_header = _("Woovi operations")
admin.site.site_title = _("Woovi operations")
admin.site.index_title = _("Everything the platform keeps")
