"""Operators' pages: read everything, change only through services."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from payments.admin import (
    applications,
    batches,
    caches,
    charges,
    companies,
    customers,
    health,
    jobs,
    ledger,
    limits,
    locks,
    log,
    logos,
    model_names,
    money,
    outbox,
    payments,
    people,
    pix_keys,
    proposals,
    qr_codes,
    security,
    subaccounts,
    switches,
    webhooks,
)

__all__ = [
    "applications",
    "batches",
    "caches",
    "charges",
    "companies",
    "customers",
    "health",
    "jobs",
    "ledger",
    "limits",
    "locks",
    "log",
    "logos",
    "model_names",
    "money",
    "outbox",
    "payments",
    "people",
    "pix_keys",
    "proposals",
    "qr_codes",
    "security",
    "subaccounts",
    "switches",
    "webhooks",
]

model_names.translate()
admin.site.enable_nav_sidebar = False  # its quarter of the screen is the columns'
admin.site.site_header = _("Woovi operations")
admin.site.site_title = _("Woovi operations")
admin.site.index_template = "payments_admin/index.html"
admin.site.index_title = _("Everything the platform keeps")
