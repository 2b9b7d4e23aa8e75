"""Charges, received Pix, refunds, and the cursor of the bank's list."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import time_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from payments.admin.acting import ChargeActions, PixActions
from payments.admin.lists import MoneyList, Period
from payments.admin.money import CursorActions, RefundActions
from payments.admin.records import Record, link, reais, rows_link
from payments.models import BankCursor, Charge, LedgerTransaction, ReceivedPix, Refund
from payments.money import format_reais
from payments.selectors import bank_reads
from woovi.cache import LoadFailed

COMPANY_IDS = ("company__tax_id__exact", "company__public_id__exact")


@admin.register(Charge)
class ChargeAdmin(ChargeActions, MoneyList):
    """Charges, with links to their Pix, refunds and entries."""

    list_display = ("public_id", "created_at", "company", "correlation_id", "worth", "status", "paid_at")
    list_filter = (("created_at", Period), "status")
    actions = ("refund", "export")
    list_select_related = ("company",)
    search_fields = (
        "public_id__exact",
        "correlation_id__exact",
        "txid__exact",
        "payment_link_id__exact",
        "received__end_to_end_id__exact",
        *COMPANY_IDS,
    )
    search_help_text = _("Charge id, correlation id, txid, end-to-end id, payment link, or the company's id or tax id")
    ordering = ("-id",)
    exclude = ("request_hash", "value", "fee", "refunded", "returned_by_bank")
    readonly_fields = ("worth", "share", "given_back", "by_bank", "pix", "refunds", "entries")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """With what the bank says only where an operator asks: the page must not wait for a slow bank."""
        return (*self.readonly_fields, "at_bank" if "bank" in request.GET else "ask_bank")

    worth = reais("value", _("Value"))
    share = reais("fee", _("Fee"))
    given_back = reais("refunded", _("Returned"))
    by_bank = reais("returned_by_bank", _("Returned by the bank itself"))

    @admin.display(description=_("Received Pix"))
    def pix(self, charge: Charge) -> SafeString:
        return rows_link(ReceivedPix, _("Received Pix"), q=charge.public_id)

    @admin.display(description=_("Refunds"))
    def refunds(self, charge: Charge) -> SafeString:
        return rows_link(Refund, _("Refunds"), q=charge.public_id)

    @admin.display(description=_("Ledger"))
    def entries(self, charge: Charge) -> SafeString | str:
        return rows_link(LedgerTransaction, _("Transactions"), charge=charge.public_id)

    @admin.display(description=_("At the bank"))
    def ask_bank(self, charge: Charge) -> SafeString:
        return format_html('<a href="?bank">{}</a>', _("Ask the bank"))

    @admin.display(description=_("At the bank"))
    def at_bank(self, charge: Charge) -> Any:
        try:
            found = bank_reads.at_bank(charge)
        except bank_reads.NotAtBank:
            return _("The bank does not know it")
        except LoadFailed:
            return _("The bank does not answer")
        at = time_format(timezone.localtime(found.read_at), "H:i:s")
        words = _("%(status)s, %(value)s, paid %(paid)s, as of %(at)s")
        return words % {
            "status": found.status,
            "value": format_reais(found.value),
            "paid": format_reais(found.paid),
            "at": at,
        }


@admin.register(ReceivedPix)
class ReceivedPixAdmin(PixActions, MoneyList):
    """Received Pix, with their outcome and entries."""

    list_display = ("end_to_end_id", "paid_at", "company", "worth", "outcome", "charge_link", "payer_tax_id")
    list_filter = (("paid_at", Period), "outcome")
    actions = ("read_again", "export")
    list_select_related = ("company", "charge")
    search_fields = (
        "end_to_end_id__exact",
        "public_id__exact",
        "txid__exact",
        "payer_tax_id__exact",
        "charge__public_id__exact",
        "charge__correlation_id__exact",
        *COMPANY_IDS,
    )
    search_help_text = _("End-to-end id, txid, the charge's ids, the payer's or the company's tax id")
    ordering = ("-id",)
    exclude = ("value", "fee", "charge")
    readonly_fields = ("worth", "share", "charge_link", "entries")

    worth = reais("value", _("Value"))
    share = reais("fee", _("Fee"))

    @admin.display(description=_("Ledger"))
    def entries(self, received: ReceivedPix) -> SafeString:
        return rows_link(LedgerTransaction, _("Transactions"), q=received.end_to_end_id)

    @admin.display(description=_("Charge"))
    def charge_link(self, received: ReceivedPix) -> SafeString | str:
        return link(received.charge)


class ContradictedFilter(admin.SimpleListFilter):
    """Refunds that ended otherwise at the bank."""

    title = _("the bank's answer")
    parameter_name = "contradicted"

    def lookups(self, request: HttpRequest, page: admin.ModelAdmin[Any]) -> list[tuple[str, Any]]:
        return [("1", _("The opposite of ours"))]

    def queryset(self, request: HttpRequest, rows: QuerySet[Refund]) -> QuerySet[Refund]:
        return rows.filter(contradicted_at__isnull=False) if self.value() else rows


@admin.register(Refund)
class RefundAdmin(RefundActions, MoneyList):
    """Refunds, with what operators may do about one that went wrong."""

    list_display = ("public_id", "created_at", "company", "correlation_id", "worth", "status", "automatic", "by_bank")
    list_filter = (("resolved_at", Period), "status", ContradictedFilter, "automatic", "by_bank")
    list_select_related = ("company",)
    search_fields = (
        "public_id__exact",
        "correlation_id__exact",
        "return_id__exact",
        "end_to_end_id__exact",
        "received__end_to_end_id__exact",
        "charge__public_id__exact",
        *COMPANY_IDS,
    )
    actions = (*RefundActions.actions, "export")
    search_help_text = _("Refund id, correlation id, return id, either end-to-end id, the charge's or company's id")
    ordering = ("-id",)
    exclude = ("request_hash", "value", "hold", "debit", "correction", "charge", "received")
    readonly_fields = ("worth", "charge_link", "pix_link", "hold_link", "debit_link", "correction_link", "entries")

    worth = reais("value", _("Value"))

    @admin.display(description=_("Ledger"))
    def entries(self, refund: Refund) -> SafeString:
        return rows_link(LedgerTransaction, _("Transactions"), q=refund.return_id)

    @admin.display(description=_("Charge"))
    def charge_link(self, refund: Refund) -> SafeString | str:
        return link(refund.charge)

    @admin.display(description=_("Received Pix"))
    def pix_link(self, refund: Refund) -> SafeString | str:
        return link(refund.received)

    @admin.display(description=_("Hold in the ledger"))
    def hold_link(self, refund: Refund) -> SafeString | str:
        return link(refund.hold)

    @admin.display(description=_("Debit in the ledger, of a return that the bank made"))
    def debit_link(self, refund: Refund) -> SafeString | str:
        return link(refund.debit)

    @admin.display(description=_("Correction in the ledger"))
    def correction_link(self, refund: Refund) -> SafeString | str:
        return link(refund.correction)


@admin.register(BankCursor)
class BankCursorAdmin(CursorActions, Record):
    """How far the bank's list was read; operators set it back."""

    list_display = ("name", "read_until")
    search_fields = ("name__exact",)
    search_help_text = _("The list's name")
