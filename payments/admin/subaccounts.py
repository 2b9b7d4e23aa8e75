"""Sub-accounts: what companies have set aside, for whom."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from payments.admin.confirm import confirmed, on_each
from payments.admin.records import Record, link
from payments.models import MovementNote, Subaccount
from payments.money import format_reais
from payments.services import subaccounts


@admin.register(Subaccount)
class SubaccountAdmin(Record):
    """Sub-accounts, their money, and whether they can be withdrawn."""

    list_display = ("pix_key", "name", "company", "money", "withdraw_blocked", "created_at", "closed_at")
    list_filter = ("withdraw_blocked", ("closed_at", admin.EmptyFieldListFilter))
    list_select_related = ("company", "account")
    search_fields = ("pix_key__exact", "name", "company__tax_id__exact", "company__public_id__exact")
    search_help_text = _("Pix key, name, or the company's id or tax id")
    ordering = ("-id",)
    exclude = ("account", "lock_fence")
    readonly_fields = ("money", "ledger")
    actions = ("unblock",)

    @admin.display(description=_("Balance"))
    def money(self, subaccount: Subaccount) -> str:
        return format_reais(subaccount.account.available)

    @admin.display(description=_("Ledger"))
    def ledger(self, subaccount: Subaccount) -> str:
        return link(subaccount.account)

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.change_subaccount")

    @admin.action(description=_("Let it be withdrawn again"), permissions=["act"])
    def unblock(self, request: HttpRequest, rows: QuerySet[Subaccount]) -> HttpResponse | None:
        question = str(_("Are these keys right by now? A withdrawal to a wrong one costs many tokens."))
        if page := confirmed(self, request, rows, "unblock", question):
            return page
        on_each(self, request, rows, unblock)
        return None


@admin.register(MovementNote)
class MovementNoteAdmin(Record):
    """What companies wrote about their movements."""

    list_display = ("transaction", "text")
    list_select_related = ("transaction",)
    search_fields = ("transaction__correlation_id__exact",)
    search_help_text = _("The movement's correlation id")
    ordering = ("-id",)
    readonly_fields = ("ledger",)
    exclude = ("transaction",)

    @admin.display(description=_("Ledger"))
    def ledger(self, note: MovementNote) -> str:
        return link(note.transaction)


def unblock(subaccount: Subaccount) -> str:
    """Let it be withdrawn again. Returns a text for the log."""
    was = subaccount.withdraw_blocked
    subaccounts.unblock(subaccount)
    return f"Withdrawals allowed. withdraw_blocked: {was} → False"
