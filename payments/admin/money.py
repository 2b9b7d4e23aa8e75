"""Operators' actions on money that is not where it should be. Each asks for a reason, is logged, and takes two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminSplitDateTime
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from payments.admin.proposals import propose
from payments.admin.reason import Reason, asked, refused
from payments.admin.records import Record, reais
from payments.models import BankCursor, BankDay, BankDifference, Payment, Refund, SetAsidePix
from payments.services import reconciliation
from payments.services.errors import ServiceError

if TYPE_CHECKING:
    _Page = admin.ModelAdmin[Any]
else:
    _Page = object


class _ActionsWithReason(_Page):
    """Actions for operators with the right to change the record, though no page edits it. Money takes two of them."""

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"payments.change_{self.model._meta.model_name}")

    def propose(
        self: Any, request: HttpRequest, rows: QuerySet[Any], action: str, question: str, act: str = ""
    ) -> HttpResponse | None:
        """Ask for a reason, then propose `act` (by default of the action's name) on each row for another operator."""
        page, given = asked(self, request, rows, action, question)
        if page:
            return page
        for row in rows:
            try:
                propose(self, request, row, act or action, given["reason"])
            except ServiceError as error:
                refused(request, row, error)
        return None


class RefundActions(_ActionsWithReason):
    """Actions on refunds."""

    actions: Any = ("retry_suspense", "credit_suspense", "resolve_contradiction")

    @admin.action(description=_("Return out of suspense again"), permissions=["act"])
    def retry_suspense(self, request: HttpRequest, refunds: QuerySet[Refund]) -> HttpResponse | None:
        return self.propose(request, refunds, "retry_suspense", str(_("Return this money to its payers again?")))

    @admin.action(description=_("Give the merchant what cannot be returned"), permissions=["act"])
    def credit_suspense(self, request: HttpRequest, refunds: QuerySet[Refund]) -> HttpResponse | None:
        question = _("Give the merchants this money, which the bank has refused to return to its payers?")
        return self.propose(request, refunds, "credit_suspense", str(question))

    @admin.action(description=_("Resolve a contradiction: book what the bank says"), permissions=["act"])
    def resolve_contradiction(self, request: HttpRequest, refunds: QuerySet[Refund]) -> HttpResponse | None:
        return self.propose(request, refunds, "resolve_contradiction", str(_("Ask the bank, and book what it says?")))


class PaymentActions(_ActionsWithReason):
    """Actions on payments."""

    @admin.action(description=_("Resolve a contradiction: book what the bank says"), permissions=["act"])
    def resolve_contradiction(self, request: HttpRequest, rows: QuerySet[Payment]) -> HttpResponse | None:
        question = str(_("Ask the bank, and book what it says?"))
        return self.propose(request, rows, "resolve_contradiction", question, "correct_payment")


class SetBack(Reason):
    """The time from which to read again."""

    read_until = forms.SplitDateTimeField(label=_("Read again from"), widget=AdminSplitDateTime)


class CursorActions(_ActionsWithReason):
    """Actions on the cursor of the bank's list."""

    actions = ("set_back",)

    @admin.action(description=_("Set back, to read the bank's list again"), permissions=["act"])
    def set_back(self, request: HttpRequest, cursors: QuerySet[BankCursor]) -> HttpResponse | None:
        question = _("From when is the bank's list to be read again?")
        page, given = asked(self, request, cursors, "set_back", str(question), SetBack)
        if page:
            return page
        for cursor in cursors:
            try:
                was = reconciliation.set_back(given["read_until"])
            except ServiceError as error:
                refused(request, cursor, error)
                continue
            times = {"was": was.isoformat(), "now": given["read_until"].isoformat()}
            done = _("Set back from %(was)s to %(now)s.") % times
            self.log_change(request, cursor, f"{done} Reason: {given['reason']}")
            messages.success(request, done)
        return None


@admin.register(SetAsidePix)
class SetAsidePixAdmin(_ActionsWithReason, Record):
    """Pix that could not be read or booked."""

    list_display = ("end_to_end_id", "created_at", "reason", "attempts", "next_attempt_at", "resolved_at", "resolution")
    list_filter = (("resolved_at", admin.EmptyFieldListFilter),)
    search_fields = ("end_to_end_id__exact", "txid__exact")
    search_help_text = _("End-to-end id or txid")
    ordering = ("-id",)
    actions = ("resolve",)

    @admin.action(description=_("Resolve: it was dealt with by hand"), permissions=["act"])
    def resolve(self, request: HttpRequest, rows: QuerySet[SetAsidePix]) -> HttpResponse | None:
        return self.propose(request, rows, "resolve", str(_("Leave these Pix as they are?")), "resolve_set_aside")


@admin.register(BankDay)
class BankDayAdmin(Record):
    """Days that were compared with the bank."""

    list_display = ("day", "there_in", "here_in", "there_out", "here_out", "there", "here", "compared_at")
    ordering = ("-day",)
    fields = readonly_fields = list_display

    there_in, here_in = reais("bank_in", _("In, at the bank")), reais("our_in", _("In, here"))
    there_out, here_out = reais("bank_out", _("Out, at the bank")), reais("our_out", _("Out, here"))
    there, here = reais("bank_balance", _("Balance at the bank")), reais("our_balance", _("Balance here"))


@admin.register(BankDifference)
class BankDifferenceAdmin(_ActionsWithReason, Record):
    """Differences between the bank and our books."""

    list_display = ("day", "kind", "end_to_end_id", "there", "here", "status", "resolution")
    list_filter = ("status", "kind")
    search_fields = ("end_to_end_id__exact",)
    search_help_text = _("End-to-end id, of a Pix or of a return")
    ordering = ("-day", "-id")
    exclude = ("bank_value", "our_value")
    readonly_fields = ("there", "here")
    actions = ("resolve",)

    there, here = reais("bank_value", _("At the bank")), reais("our_value", _("Here"))

    @admin.action(description=_("Resolve"), permissions=["act"])
    def resolve(self, request: HttpRequest, rows: QuerySet[BankDifference]) -> HttpResponse | None:
        question = str(_("Are these differences explained, or made right?"))
        return self.propose(request, rows, "resolve", question, "resolve_difference")
