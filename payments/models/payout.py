"""Payout batches: a file of payments that is validated, approved by another person, and paid row by row.

The rows are what was signed; they never change. What came of a row is a `Payment`, made when the bank has answered.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.functional import cached_property

from payments.models.base import PublicIdField
from payments.models.company import Company
from payments.models.ledger import LedgerTransaction


class PayoutBatch(models.Model):
    """A file of payouts. DRAFT → VALIDATED → AWAITING_APPROVAL → RUNNING ⇄ PAUSED → DONE | PARTIAL | CANCELLED.

    `signature` is what the approver approved: the SHA-256 of all rows, their number and their sum. `hold` reserves in
    the ledger exactly what is not paid and not given up, `reserved`. `confirmed` and `failed` count rows that have
    ended. Each retry of the failed rows is another `round`.
    """

    class Status(models.TextChoices):
        DRAFT = "DRAFT"
        VALIDATED = "VALIDATED"
        AWAITING_APPROVAL = "AWAITING_APPROVAL"
        RUNNING = "RUNNING"
        PAUSED = "PAUSED"
        DONE = "DONE"
        PARTIAL = "PARTIAL"
        CANCELLED = "CANCELLED"

    APPROVED = (Status.RUNNING, Status.PAUSED, Status.DONE, Status.PARTIAL, Status.CANCELLED)

    public_id = PublicIdField()
    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="payouts")
    name = models.CharField(max_length=200)
    status = models.CharField(max_length=17, choices=Status, default=Status.DRAFT)
    rows = models.PositiveIntegerField(default=0)
    total = models.BigIntegerField(default=0)  # centavos
    problems = models.PositiveIntegerField(default=0)
    signature = models.CharField(max_length=64, blank=True)  # hex
    maker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    approver = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    round = models.PositiveSmallIntegerField(default=1)
    confirmed = models.PositiveIntegerField(default=0)  # rows
    failed = models.PositiveIntegerField(default=0)  # rows of this round
    reserved = models.BigIntegerField(default=0)  # centavos
    hold = models.ForeignKey(
        LedgerTransaction, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    holds = models.PositiveIntegerField(default=0)  # made so far, each in place of the one before
    served_at = models.DateTimeField(null=True)  # when a worker last took a chunk of it
    pause_reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    approved_at = models.DateTimeField(null=True)
    round_began_at = models.DateTimeField(null=True)  # its approval or latest retry; counts in that period's limit
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "payout batches"
        constraints = [
            models.CheckConstraint(
                name="payout_maker_is_not_checker", condition=Q(approver=None) | ~Q(approver=F("maker"))
            ),
            models.CheckConstraint(name="payout_reserves_what_it_holds", condition=Q(hold=None, reserved=0) | Q(hold__isnull=False, reserved__gt=0)),
        ]  # fmt: skip
        indexes = [models.Index(fields=["status"], name="payout_live", condition=Q(status__in=["RUNNING", "PAUSED"]))]

    @cached_property
    def first_problems(self) -> list[PayoutProblem]:
        """Some of its problems, to be shown, by line."""
        return list(self.found.order_by("line", "id")[:100])

    def __str__(self) -> str:
        return f"{self.name} {self.status}"


class PayoutRow(models.Model):
    """One row of the file, at its `line`. `reference` is the company's own id of the payout."""

    batch = models.ForeignKey(
        PayoutBatch, on_delete=models.CASCADE, related_name="lines", db_index=False, db_constraint=False
    )
    line = models.PositiveIntegerField()
    reference = models.CharField(max_length=100)
    pix_key = models.CharField(max_length=77)
    value = models.BigIntegerField()
    comment = models.CharField(max_length=140, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["batch", "line"], name="payout_line_once")]
        indexes = [models.Index(fields=["batch", "reference"], name="payout_reference")]

    def __str__(self) -> str:
        return f"{self.line}: {self.reference}"


class PayoutProblem(models.Model):
    """Why a row of the file cannot be paid: its line, the column at fault, and the reason."""

    batch = models.ForeignKey(PayoutBatch, on_delete=models.CASCADE, related_name="found", db_constraint=False)
    line = models.PositiveIntegerField()
    column = models.CharField(max_length=20)
    reason = models.CharField(max_length=200)

    def __str__(self) -> str:
        return f"{self.line}, {self.column}"


class PayoutChunk(models.Model):
    """Some hundred rows that one worker pays at a time. The lease, by the database's clock, says whose they are.

    `digest` is the SHA-256 of its rows, checked before they are sent. `attempts` counts leases. After one that did not
    end, rows are sent one by one: `at_line` is written before its row is sent, so a row that kills its worker is known.
    """

    batch = models.ForeignKey(PayoutBatch, on_delete=models.CASCADE, related_name="chunks", db_index=False)
    number = models.PositiveIntegerField()
    first_line = models.PositiveIntegerField()
    last_line = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    is_done = models.BooleanField(default=False)
    token = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    at_line = models.PositiveIntegerField(null=True)
    at_line_attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["batch", "number"], name="payout_chunk_once")]
        indexes = [models.Index(fields=["batch", "number"], name="payout_chunk_open", condition=Q(is_done=False))]

    def __str__(self) -> str:
        return f"{self.number}: {self.first_line}–{self.last_line}"
