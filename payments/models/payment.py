"""A payment: a Pix that a company sends."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from payments.models.base import new_public_id
from payments.models.company import Company
from payments.models.ledger import Account, LedgerTransaction
from payments.models.payout import PayoutBatch
from woovi.locks import FencedModel


class Payment(FencedModel):
    """A payment of `value` centavos. CREATED → APPROVED → PROCESSING → CONFIRMED | FAILED; or CREATED → DENIED | REMOVED.

    `public_id` is also its id at the bank, so the bank carries it out once, however often it is asked. `hold` reserves
    the value from the approval until the bank has answered. A payment is `unknown_since` the bank did not answer: then
    it is looked up before anything else, and never sent under another id.

    A payment of a payout batch is written once its row was sent, and its money is the batch's `hold`. A row at which
    workers died three times is QUARANTINED: an operator decides.
    """

    class Type(models.TextChoices):
        PIX_KEY = "PIX_KEY", "Pix key"
        QR_CODE = "QR_CODE", "QR code"
        MANUAL = "MANUAL"

    class Status(models.TextChoices):
        CREATED = "CREATED"
        APPROVED = "APPROVED"
        PROCESSING = "PROCESSING"
        CONFIRMED = "CONFIRMED"
        FAILED = "FAILED"
        DENIED = "DENIED"
        REMOVED = "REMOVED"
        QUARANTINED = "QUARANTINED"

    OPEN = (Status.APPROVED, Status.PROCESSING)  # money is held, and the bank may have been asked

    # Written by the thousand: one index each where Django would make two, and no look-up of the company and the batch,
    # which the services have locked or read.
    public_id = models.CharField(max_length=24, editable=False, default=new_public_id)
    company = models.ForeignKey(
        Company, on_delete=models.PROTECT, related_name="payments", db_index=False, db_constraint=False
    )
    correlation_id = models.CharField(max_length=255)
    type = models.CharField(max_length=7, choices=Type)
    value = models.BigIntegerField()
    pix_key = models.CharField(max_length=77, blank=True)
    qr_code = models.CharField(max_length=512, blank=True)
    account = models.JSONField(null=True)  # of MANUAL: {"holder", "account", "psp"}, as the contract has them
    source = models.ForeignKey(  # whose money it is: a sub-account's; None is the company's default account
        Account, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    comment = models.CharField(max_length=140, blank=True)
    owner = models.JSONField(null=True)  # of the key, as its maker was shown it: {"name", "taxID" masked, "bank"}
    metadata = models.JSONField(null=True)  # the company's own, shown to nobody else
    status = models.CharField(max_length=11, choices=Status, default=Status.CREATED)
    end_to_end_id = models.CharField(max_length=32, blank=True)
    error_code = models.CharField(max_length=60, blank=True)  # the contract's, where it failed
    reason = models.CharField(max_length=200, blank=True)  # why it failed, in the bank's words
    hold = models.ForeignKey(
        LedgerTransaction, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    correction = models.ForeignKey(  # the posting of an operator's correction
        LedgerTransaction, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    batch = models.ForeignKey(
        PayoutBatch, on_delete=models.PROTECT, null=True, related_name="payments", db_index=False, db_constraint=False
    )
    line = models.PositiveIntegerField(null=True)  # of the batch's file
    round = models.PositiveSmallIntegerField(null=True)  # of the batch
    # People of the company, where it was made on its pages. Who made it does not approve it.
    maker = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    approver = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    asked_at = models.DateTimeField(null=True)  # when the bank was last asked
    sent_at = models.DateTimeField(null=True)  # when it was last sent without an answer that ends it
    unknown_since = models.DateTimeField(null=True)
    contradicted_at = models.DateTimeField(null=True)  # when the bank reported the opposite end; see check_ledger
    created_at = models.DateTimeField(default=timezone.now)
    approved_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["public_id"], name="payment_public_id_once"),
            models.UniqueConstraint(
                fields=["company", "correlation_id"], name="payment_correlation_id_once", condition=Q(batch=None)
            ),
            models.UniqueConstraint(
                fields=["batch", "line", "round"], name="payment_of_line_once", condition=Q(batch__isnull=False)
            ),
            models.UniqueConstraint(
                fields=["batch", "line"],
                name="payment_of_line_paid_once",
                condition=Q(batch__isnull=False, status="CONFIRMED"),
            ),
            models.CheckConstraint(name="payment_value_positive", condition=Q(value__gt=0)),
            models.CheckConstraint(
                name="payment_maker_is_not_checker", condition=Q(approver=None) | ~Q(approver=F("maker"))
            ),
            models.CheckConstraint(
                name="payment_approved_holds",
                condition=Q(status__in=["CREATED", "DENIED", "REMOVED"])
                | Q(hold__isnull=False)
                | Q(batch__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["company", "-id"], name="payments_of_company"),
            models.Index(fields=["company", "-created_at"], name="payment_by_company"),
            models.Index(fields=["company", "-id"], name="payments_alone", condition=Q(batch=None)),
            models.Index(
                fields=["company", "-resolved_at"],
                name="payments_failed",
                condition=Q(batch=None, status="FAILED"),
            ),
            models.Index(
                fields=["id"],
                name="payment_in_trouble",
                condition=Q(status="QUARANTINED") | Q(contradicted_at__isnull=False),
            ),
            models.Index(
                fields=["end_to_end_id"], name="payment_by_bank_id", opclasses=["varchar_pattern_ops"]
            ),  # which serves `=` too
            models.Index(
                fields=["company", "correlation_id"], name="payment_by_reference", condition=Q(batch__isnull=False)
            ),
            models.Index(
                fields=["created_at"], name="payment_open", condition=Q(status__in=["APPROVED", "PROCESSING"])
            ),
            BrinIndex(fields=["resolved_at"], name="payment_by_time"),
        ]

    @property
    def moved_at(self) -> datetime:
        """When the bank ended it, or when it was approved."""
        return self.resolved_at or self.approved_at or self.created_at

    def __str__(self) -> str:
        return f"{self.correlation_id} {self.status}"
