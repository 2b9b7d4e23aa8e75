"""Merchants' static QR codes."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from payments.admin.records import Record, reais
from payments.models import QrCode


@admin.register(QrCode)
class QrCodeAdmin(Record):
    """Static QR codes, found by their ids."""

    list_display = ("public_id", "created_at", "company", "correlation_id", "name", "identifier", "worth")
    list_select_related = ("company",)
    search_fields = ("public_id__exact", "correlation_id__exact", "identifier__exact", "payment_link_id__exact")
    search_help_text = _("QR code id, correlation id, identifier or payment link")
    ordering = ("-id",)
    exclude = ("value",)
    readonly_fields = ("worth",)

    worth = reais("value", _("Value"))
