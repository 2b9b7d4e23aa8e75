"""Accounts, transactions and entries of the ledger. Triggers enforce their invariants (migration `ledger_guards`)."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from payments.models.base import PublicIdField
from payments.models.company import Company


class Account(models.Model):
    """An account of one company, in centavos. A positive balance is money that the platform owes.

    `posted` and `pending_out` are the sums of the entries' `amount` and `pending`, kept by the entries' trigger and
    by nothing else. `posted - pending_out` may be spent.
    """

    class Kind(models.TextChoices):
        MERCHANT = "MERCHANT", "merchant's money"
        CLEARING = "CLEARING", "money at the bank (negative: the bank owes)"
        FEES = "FEES", "the platform's fees"
        SUSPENSE = "SUSPENSE", "received, waiting to be returned"
        RECEIVABLE = "RECEIVABLE", "owed by the company (negative)"
        SUBACCOUNT = "SUBACCOUNT", "set aside for a sub-account"
        ADJUSTMENT = "ADJUSTMENT", "given (negative) or taken back by hand"

    # Every company has these. RECEIVABLE is opened with the first debt (payments/services/debts.py), ADJUSTMENT with the
    # first adjustment (payments/services/adjustments.py), a SUBACCOUNT with each sub-account; these are never default.
    OPENED_AT_ONCE = (Kind.MERCHANT, Kind.CLEARING, Kind.FEES, Kind.SUSPENSE)
    MAY_GO_NEGATIVE = (Kind.CLEARING, Kind.RECEIVABLE, Kind.ADJUSTMENT)

    public_id = PublicIdField()
    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="accounts")
    kind = models.CharField(max_length=10, choices=Kind)
    name = models.CharField(max_length=100, blank=True)
    is_default = models.BooleanField(default=True)
    may_go_negative = models.BooleanField(default=False)
    posted = models.BigIntegerField(default=0, editable=False)
    pending_out = models.BigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True, editable=False)  # of a further account of the merchant's

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="account_closed_is_empty",
                condition=Q(closed_at=None) | Q(posted=0, pending_out=0, is_default=False),
            ),
            models.UniqueConstraint(fields=["company", "kind"], condition=Q(is_default=True), name="account_default"),
            models.CheckConstraint(
                name="account_not_overdrawn",
                condition=Q(may_go_negative=True) | Q(posted__gte=F("pending_out")),
            ),
            models.CheckConstraint(name="account_pending_out_positive", condition=Q(pending_out__gte=0)),
            models.CheckConstraint(
                name="account_negative_by_kind",
                condition=Q(may_go_negative=False) | Q(kind__in=["CLEARING", "RECEIVABLE", "ADJUSTMENT"]),
            ),
            models.CheckConstraint(
                name="account_receivable_is_debt", condition=~Q(kind="RECEIVABLE") | Q(posted__lte=0)
            ),
        ]
        indexes = [models.Index(fields=["company"], name="account_receivable", condition=Q(kind="RECEIVABLE"))]

    @property
    def available(self) -> int:
        """Centavos that may be spent."""
        return self.posted - self.pending_out

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.public_id}"


# Kinds of transactions by which the API's types are told (payments/selectors/transactions.py): what goes from one company of
# the platform to another; what waits for the bank, and what no longer does. Where the money went, the kind is another.
GIVEN = ("transfer", "split_transfer", "split_partner")
TAKEN = tuple(f"{kind}_in" for kind in GIVEN)
HOLDS = ("payment_hold", "refund_hold", "payout_hold")
RELEASES = ("payment_void", "refund_void", "payout_void")


class LedgerTransaction(models.Model):
    """One instruction, with its entries. Append-only, unique by (company, kind, correlation_id).

    A hold is a transaction with a pending entry. Another transaction, which names the hold in `resolves`, posts all or
    part of it and releases the rest, or voids it. A hold is resolved once.
    """

    id = models.BigAutoField(primary_key=True)
    company = models.ForeignKey(
        Company, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    kind = models.CharField(max_length=40)
    correlation_id = models.CharField(max_length=255)
    request_hash = models.BinaryField(max_length=32, editable=False)
    resolves = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, related_name="resolved_by", db_constraint=False
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["company", "kind", "correlation_id"], name="ledger_transaction_once")
        ]
        indexes = [
            models.Index(
                fields=["company", "-created_at"],
                name="ledger_by_company",
                condition=Q(kind__in=[*GIVEN, *TAKEN, *HOLDS, *RELEASES]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.correlation_id}"


class Entry(models.Model):
    """The change of one account by a transaction, in centavos: `amount` to `posted`, `pending` to `pending_out`.

    The lines of a transaction are numbered 1 to n and written by one statement. The unique (transaction, line) keeps
    later statements from adding lines.
    """

    id = models.BigAutoField(primary_key=True)
    transaction = models.ForeignKey(
        LedgerTransaction, on_delete=models.PROTECT, related_name="entries", db_constraint=False, db_index=False
    )
    line = models.SmallIntegerField()
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="entries", db_constraint=False, db_index=False
    )
    amount = models.BigIntegerField(default=0)
    pending = models.BigIntegerField(default=0)

    class Meta:
        verbose_name_plural = "entries"
        constraints = [
            models.UniqueConstraint(fields=["transaction", "line"], name="entry_line_once"),
            models.CheckConstraint(name="entry_moves_something", condition=~Q(amount=0) | ~Q(pending=0)),
        ]
        indexes = [models.Index(fields=["account", "id"], name="entry_by_account")]

    def __str__(self) -> str:
        return f"{self.transaction_id}/{self.line}"
