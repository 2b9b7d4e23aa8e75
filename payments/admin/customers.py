"""Merchants' customers."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from payments.admin.records import Record
from payments.models import Customer


@admin.register(Customer)
class CustomerAdmin(Record):
    """Customers, found by their ids."""

    list_display = ("public_id", "created_at", "company", "correlation_id", "name", "tax_id")
    list_select_related = ("company",)
    search_fields = ("public_id__exact", "correlation_id__exact", "tax_id__exact", "email__exact")
    search_help_text = _("Customer id, correlation id, tax id or e-mail")
    ordering = ("-id",)
