"""The ledger: accounts, their entries, and the transactions of these."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from payments.admin.acting import AccountActions
from payments.admin.lists import MoneyList, Period
from payments.admin.records import Record, link, reais, rows_link
from payments.models import Account, Charge, Entry, LedgerTransaction, ReceivedPix, Refund
from payments.money import format_reais
from payments.selectors.statement import balances_after


@admin.register(Account)
class AccountAdmin(AccountActions, Record):
    """Accounts with their balances, which two operators adjust."""

    actions = ("adjust",)

    list_display = ("public_id", "company", "kind", "balance", "held", "free", "entries")
    list_filter = ("kind",)
    list_select_related = ("company",)
    search_fields = ("public_id__exact", "company__tax_id__exact", "company__public_id__exact")
    search_help_text = _("Account id, or the company's id or tax id")
    fields = ("public_id", "company", "kind", "balance", "held", "free", "may_go_negative", "created_at", "entries")

    balance = reais("posted", _("Posted"))
    held = reais("pending_out", _("Held"))
    free = reais("available", _("Available"))

    @admin.display(description=_("Entries"))
    def entries(self, account: Account) -> SafeString:
        return rows_link(Entry, _("Entries"), account__id__exact=account.pk)


class EntryList(ChangeList):
    """Entries, newest first. A list of one account shows the balance after each."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        entries: list[Any] = list(self.result_list)
        self.result_list = entries
        if not entries or "account__id__exact" not in self.params:
            return
        # The balance now, less all later entries: one query sums only the rows that are newer than this page.
        later = Entry.objects.filter(account=OuterRef("pk"), id__gt=entries[0].pk).order_by().values("account")
        account = Account.objects.annotate(later=Subquery(later.annotate(sum=Sum("amount")).values("sum"))).get(
            pk=entries[0].account_id
        )
        balance = account.posted - (account.later or 0)
        for entry in entries:
            entry.running = balance
            balance -= entry.amount


@admin.register(Entry)
class EntryAdmin(MoneyList):
    """Entries; those of one account with its running balance, a period, and their sum: its statement, also as a file."""

    summed = "amount"
    in_reais: ClassVar[dict[str, str]] = {"moved": "amount", "held": "pending", "running_balance": "running"}

    list_display = ("id", "at", "moved", "held", "running_balance", "account_link", "transaction_link")
    list_select_related = ("transaction", "account__company")
    search_fields = ("transaction__correlation_id__exact", "account__public_id__exact")
    search_help_text = _("The transaction's correlation id, or the account's id")
    ordering = ("-id",)
    fields = ("transaction_link", "account_link", "moved", "held")
    readonly_fields = fields

    moved = reais("amount", _("Posted"))
    held = reais("pending", _("Held"))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return EntryList

    def get_list_filter(self, request: HttpRequest) -> Any:
        """Of one account: of all of them no index helps."""
        return (("transaction__created_at", Period),) if "account__id__exact" in request.GET else ()

    def exported(self, rows: QuerySet[Entry]) -> Iterator[Entry]:
        """With the balance after each, as the list of one account shows it."""
        balances = balances_after(list(rows.values_list("pk", flat=True))) if _of_one_account(rows) else {}
        for entry in super().exported(rows):
            entry.running = balances.get(entry.pk)
            yield entry

    @admin.display(description=_("Balance after"))
    def running_balance(self, entry: Entry) -> str:
        running: int | None = getattr(entry, "running", None)
        return "-" if running is None else format_reais(running)

    @admin.display(description=_("At"))
    def at(self, entry: Entry) -> Any:
        return entry.transaction.created_at

    @admin.display(description=_("Transaction"))
    def transaction_link(self, entry: Entry) -> SafeString | str:
        return link(entry.transaction)

    @admin.display(description=_("Account"))
    def account_link(self, entry: Entry) -> SafeString | str:
        return link(entry.account, f"{entry.account.company}: {entry.account.get_kind_display()}")


def _of_one_account(rows: QuerySet[Entry]) -> bool:
    return len(set(rows.order_by().values_list("account", flat=True).distinct()[:2])) == 1


class EntriesOfTransaction(admin.TabularInline):  # type: ignore[type-arg]
    """Both sides of a transaction."""

    model = Entry
    fields = readonly_fields = ("account_link", "moved", "held", "more")
    can_delete = False
    moved = reais("amount", _("Posted"))
    held = reais("pending", _("Held"))
    account_link = EntryAdmin.account_link

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission

    def get_queryset(self, request: HttpRequest) -> QuerySet[Entry]:
        return super().get_queryset(request).select_related("account__company")

    @admin.display(description="")
    def more(self, entry: Entry) -> SafeString:
        return rows_link(Entry, _("Entries of this account"), account__id__exact=entry.account_id)


class OfCharge(admin.SimpleListFilter):
    """All transactions of one charge: its Pix, and the holds, posts and voids of their refunds.

    A link on the charge's page chooses this filter; it is shown only then.
    """

    title = _("charge")
    parameter_name = "charge"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        number = self.used_parameters.get(self.parameter_name) or request.GET.get(self.parameter_name, "")
        return [(number, number)] if number else []

    def queryset(self, request: HttpRequest, transactions: QuerySet[LedgerTransaction]) -> QuerySet[LedgerTransaction]:
        charge = Charge.objects.filter(public_id=self.value()).first()
        if charge is None:
            return transactions.none()
        pix = ReceivedPix.objects.filter(charge=charge)
        returns = Refund.objects.filter(received__in=pix)
        ids = [*pix.values_list("end_to_end_id", flat=True), *returns.values_list("return_id", flat=True)]
        return transactions.filter(company=charge.company_id, correlation_id__in=ids)


@admin.register(LedgerTransaction)
class LedgerTransactionAdmin(Record):
    """Transactions of the ledger, with their entries."""

    list_display = ("id", "created_at", "kind", "correlation_id", "company", "moved")
    list_select_related = ("company",)
    list_filter = (OfCharge,)
    search_fields = ("correlation_id__exact", "company__tax_id__exact", "company__public_id__exact")
    search_help_text = _("Correlation id, or the company's id or tax id")
    ordering = ("-id",)
    fields = readonly_fields = ("company", "kind", "correlation_id", "resolved", "created_at")
    inlines = (EntriesOfTransaction,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[LedgerTransaction]:
        return super().get_queryset(request).prefetch_related("entries__account")

    @admin.display(description=_("Posted (held)"))
    def moved(self, transaction: LedgerTransaction) -> str:
        """The amounts by account, in short."""
        return "; ".join(
            f"{entry.account.get_kind_display().partition(' (')[0]} {format_reais(entry.amount)}"
            + (f" ({format_reais(entry.pending)})" if entry.pending else "")
            for entry in transaction.entries.all()
        )

    @admin.display(description=_("Resolves the hold"))
    def resolved(self, transaction: LedgerTransaction) -> SafeString | str:
        return link(transaction.resolves)
