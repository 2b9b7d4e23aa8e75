"""What the admin's pages have in common."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import models
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from payments.money import format_reais
from payments.pix import keys
from payments.refusals import translated
from payments.services.errors import ServiceError

AT_ONCE = 200  # rows of one action


class Page(admin.ModelAdmin):  # type: ignore[type-arg]
    """The base of all pages of the admin.

    A search also finds a row by its number, as `check_ledger` and logs name it, and by a punctuated tax id. A service's
    refusal becomes a message. The log has old and new values of changed fields.
    """

    change_list_template = "payments_admin/change_list.html"
    unbounded: Any = ()  # actions that take any number of rows

    def response_action(self, request: HttpRequest, queryset: Any, *args: Any, **kwargs: Any) -> Any:
        """Refuse an action on a whole list of thousands: each row is shown, asked about and done within one request."""
        everything = request.POST.get("select_across") == "1" and request.POST.get("action") not in self.unbounded
        if everything and queryset[: AT_ONCE + 1].count() > AT_ONCE:
            messages.error(request, _("At most %(most)s rows at once: search or filter first.") % {"most": AT_ONCE})
            return HttpResponseRedirect(request.get_full_path())
        return super().response_action(request, queryset, *args, **kwargs)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._with_refusals_shown(request, super().changeform_view, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._with_refusals_shown(request, super().changelist_view, *args, **kwargs)

    def _with_refusals_shown(self, request: HttpRequest, view: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """The view's answer; after a service's refusal, the same page again with a message."""
        try:
            answer: HttpResponse = view(request, *args, **kwargs)
        except ServiceError as refusal:
            messages.error(request, translated(refusal))
            return HttpResponseRedirect(request.get_full_path())
        return answer

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        fields = [name for name in form.changed_data if "password" not in name]
        if add:
            return "Added. " + "; ".join(f"{name}: {shown(form.cleaned_data.get(name))}" for name in fields)
        before, after = form.initial, form.cleaned_data
        return "; ".join(f"{name}: {shown(before.get(name))} → {shown(after.get(name))}" for name in fields)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        try:
            search_term = keys.parse_tax_id(search_term)
        except keys.InvalidKey:
            pass
        found, doubled = super().get_search_results(request, queryset, search_term)
        number = search_term.strip()
        has_number = isinstance(self.model._meta.pk, models.AutoField)  # BigAutoField is one too
        if has_number and number.isascii() and number.isdecimal() and len(number) < 20:
            found |= queryset.filter(pk=number)
        return found, doubled


def shown(value: Any) -> str:
    """A field's value, for the log."""
    if isinstance(value, (list, tuple, models.QuerySet)):
        return ", ".join(sorted(str(each) for each in value)) or "-"
    return "-" if value is None or value == "" else str(value)


class Record(Page):
    """A fact: it can be read with the right to view it, and nobody can add, change or delete one.

    Without the right to delete, Django offers no bulk deletion either.
    """

    show_full_result_count = False  # counting millions of rows costs more than it tells
    list_per_page = 50
    sortable_by = ()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def reais(field: str, title: Any) -> staticmethod[[Any], str]:
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


def rows_link(model: type[Model], text: Any, **filters: object) -> SafeString:
    """A link to the list of another model's records."""
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist", query=filters)
    return format_html('<a href="{}">{}</a>', url, text)
