"""What the admin's pages share."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from payments.money import format_reais


class FoundByNumber(admin.ModelAdmin):  # type: ignore[type-arg]
    """A row is found by its number too, which is what `check_ledger` and logs name."""

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        found, doubled = super().get_search_results(request, queryset, search_term)
        number = search_term.strip()
        has_number = isinstance(self.model._meta.pk, models.AutoField)  # also the big ones
        if has_number and number.isascii() and number.isdecimal() and len(number) < 20:
            found |= queryset.filter(pk=number)
        return found, doubled


class Record(FoundByNumber):
    """A record of fact: everybody with the right may read it, nobody may add, change or delete one.

    Without the right to delete, Django offers no bulk deletion either.
    """

    show_full_result_count = False  # counting millions of rows to say "25 of millions" helps nobody
    list_per_page = 50
    sortable_by = ()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def reais(field: str, title: str) -> staticmethod[[Any], str]:
    """A column that shows the centavos of `field` as R$."""

    @admin.display(description=title)
    def column(row: Any) -> str:
        centavos = getattr(row, field)
        return "-" if centavos is None else format_reais(centavos)

    return staticmethod(column)


def link(row: Model | None, text: str = "") -> SafeString | str:
    """A link to another record's page."""
    if row is None:
        return "-"
    # Labels of the admin's addresses: "payments_charge".
    url = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}">{}</a>', url, text or str(row))


def rows_link(model: type[Model], text: str, **filters: object) -> SafeString:
    """A link to the list of another model's records."""
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist", query=filters)
    return format_html('<a href="{}">{}</a>', url, text)
