"""Companies' logos, as their payers see them."""

from __future__ import annotations

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from payments.admin.records import Record
from payments.models import Logo


@admin.register(Logo)
class LogoAdmin(Record):
    """A picture that a company shows to strangers."""

    list_display = ("id", "created_at", "company", "media_type")
    list_select_related = ("company",)
    fields = ("company", "picture", "media_type", "created_at")
    search_fields = ("company__tax_id__exact", "company__public_id__exact")
    search_help_text = _("The company's id or tax id")
    ordering = ("-id",)

    @admin.display(description=_("Picture"))
    def picture(self, row: Logo) -> SafeString:
        return format_html('<img src="{}" alt="" height="72">', reverse("web:logo", args=[row.key]))
