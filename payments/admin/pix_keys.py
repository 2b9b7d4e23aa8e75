"""Pix keys that companies registered, and the tokens that they spent on looking keys up."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from payments.admin.records import Record
from payments.models import FurtherKey, PixKeyMovement


@admin.register(PixKeyMovement)
class PixKeyMovementAdmin(Record):
    """Where the tokens of Pix key look-ups went."""

    list_display = ("id", "created_at", "company", "operation", "reason", "tokens", "tokens_before", "tokens_after")
    list_filter = ("operation", "reason")
    list_select_related = ("company",)
    search_fields = ("company__tax_id__exact", "company__public_id__exact", "end_to_end_id__exact")
    search_help_text = _("The company's id or tax id, or an end-to-end id")
    ordering = ("-id",)


@admin.register(FurtherKey)
class FurtherKeyAdmin(Record):
    """Pix keys that companies have besides their default ones."""

    list_display = (
        "id",
        "created_at",
        "company",
        "key_type",
        "pix_key",
        "registered_at",
        "removed_at",
        "removing_since",
    )
    list_filter = ("key_type",)
    list_select_related = ("company",)
    search_fields = ("company__tax_id__exact", "company__public_id__exact", "pix_key__exact")
    search_help_text = _("The company's id or tax id, or a Pix key")
    ordering = ("-id",)
