"""Payments: their states, their place in the ledger, and what an operator may do about one."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from payments.admin.charges import COMPANY_IDS
from payments.admin.confirm import confirmed, on_each
from payments.admin.lists import MoneyList, Period
from payments.admin.money import PaymentActions
from payments.admin.records import Record, link, reais, rows_link
from payments.models import LedgerTransaction, Payment, TransferPeriod
from payments.services import batches, payments


class UnknownFilter(admin.SimpleListFilter):
    """Payments of which the bank has not said how they ended."""

    title = _("the bank's answer")
    parameter_name = "unknown"

    def lookups(self, request: HttpRequest, page: admin.ModelAdmin[Any]) -> list[tuple[str, Any]]:
        return [("1", _("Unknown")), ("2", _("The opposite of ours"))]

    def queryset(self, request: HttpRequest, rows: QuerySet[Payment]) -> QuerySet[Payment]:
        if self.value() == "1":
            return rows.filter(unknown_since__isnull=False)
        return rows.filter(contradicted_at__isnull=False) if self.value() == "2" else rows


@admin.register(Payment)
class PaymentAdmin(PaymentActions, MoneyList):
    """Payments, and those of which the bank has not said how they ended."""

    list_display = ("public_id", "created_at", "company", "correlation_id", "worth", "type", "status", "unknown_since")
    list_filter = (("resolved_at", Period), "status", UnknownFilter, "type")
    list_select_related = ("company",)
    search_fields = (
        "public_id__exact",
        "correlation_id__exact",
        "end_to_end_id__exact",
        "batch__public_id__exact",
        *COMPANY_IDS,
    )
    search_help_text = _("Payment id, correlation id, end-to-end id, the batch's id, or the company's id or tax id")
    ordering = ("-id",)
    exclude = ("value", "hold", "correction")
    readonly_fields = ("worth", "hold_link", "correction_link", "entries")
    actions = ("ask_bank", "resolve_contradiction", "give_up", "deny", "remove", "export")

    worth = reais("value", _("Value"))

    @admin.display(description=_("Ledger"))
    def entries(self, payment: Payment) -> SafeString:
        return rows_link(LedgerTransaction, _("Transactions"), q=payment.public_id)

    @admin.display(description=_("Hold in the ledger"))
    def hold_link(self, payment: Payment) -> SafeString | str:
        return link(payment.hold)

    @admin.display(description=_("Correction in the ledger"))
    def correction_link(self, payment: Payment) -> SafeString | str:
        return link(payment.correction)

    @admin.action(description=_("Ask the bank"), permissions=["act"])
    def ask_bank(self, request: HttpRequest, rows: QuerySet[Payment]) -> None:
        def act(payment: Payment) -> str:
            return f"The bank was asked. Now {batches.ask(payment) if payment.batch_id else payments.ask(payment)}."

        on_each(self, request, rows, act)

    @admin.action(description=_("Give up, if the bank does not have it"), permissions=["act"])
    def give_up(self, request: HttpRequest, rows: QuerySet[Payment]) -> HttpResponse | None:
        question = _("End these payments in quarantine as failed, if the bank does not have them?")
        if page := confirmed(self, request, rows, "give_up", question):
            return page
        on_each(self, request, rows, lambda payment: f"Given up. {batches.give_up(payment)}")
        return None

    @admin.action(description=_("Deny"), permissions=["act"])
    def deny(self, request: HttpRequest, rows: QuerySet[Payment]) -> HttpResponse | None:
        if page := confirmed(self, request, rows, "deny", _("Deny these payments?")):
            return page
        on_each(self, request, rows, lambda payment: f"Denied. {payments.deny(payment, 'by an operator')}")
        return None

    @admin.action(description=_("Remove"), permissions=["act"])
    def remove(self, request: HttpRequest, rows: QuerySet[Payment]) -> HttpResponse | None:
        if page := confirmed(self, request, rows, "remove", _("Remove these payments?")):
            return page
        on_each(self, request, rows, lambda payment: f"Removed. {payments.remove(payment)}")
        return None


@admin.register(TransferPeriod)
class TransferPeriodAdmin(Record):
    """How much of its limit a company has used in each period of the day."""

    list_display = ("company", "starts_at", "worth")
    list_select_related = ("company",)
    search_fields = COMPANY_IDS
    search_help_text = _("The company's id or tax id")
    ordering = ("-starts_at", "-id")
    exclude = ("used",)
    readonly_fields = ("worth",)

    worth = reais("used", _("Used"))
