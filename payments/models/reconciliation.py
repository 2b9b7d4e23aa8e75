"""Differences from the bank: a Pix that could not be booked, the comparison of a day, and each difference in it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone


class SetAsidePix(models.Model):
    """A Pix in the bank's list that could not be read or booked. It is retried with growing waits, apart from others.

    Its charge does not expire before the Pix is booked or resolved by an operator.
    """

    end_to_end_id = models.CharField(max_length=100, unique=True)  # as the bank wrote it
    txid = models.CharField(max_length=100, blank=True)
    reason = models.CharField(max_length=200)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now)
    resolved_at = models.DateTimeField(null=True)
    resolution = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name = "Pix set aside"
        verbose_name_plural = "Pix set aside"
        indexes = [models.Index(fields=["next_attempt_at"], name="set_aside_due", condition=Q(resolved_at=None))]

    def __str__(self) -> str:
        return f"{self.end_to_end_id}: {self.reason}"


class BankDay(models.Model):
    """One day in São Paulo time, in the bank's books and in ours. Values are centavos."""

    day = models.DateField(primary_key=True)
    bank_in = models.BigIntegerField()
    bank_out = models.BigIntegerField()
    our_in = models.BigIntegerField()
    our_out = models.BigIntegerField()
    bank_balance = models.BigIntegerField(null=True)  # at the day's end; null where the bank has no statement
    our_balance = models.BigIntegerField()
    compared_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.day}"


class BankDifference(models.Model):
    """A line, or a day's balance, that differs from the bank's, until it is gone or an operator resolves it."""

    class Kind(models.TextChoices):
        MISSING_HERE = "MISSING_HERE", "at the bank, not in our books"
        MISSING_AT_BANK = "MISSING_AT_BANK", "in our books, not at the bank"
        VALUE = "VALUE", "another value"
        BALANCE = "BALANCE", "the balance, beyond what the other differences explain"

    class Status(models.TextChoices):
        OPEN = "OPEN"
        HEALED = "HEALED", "gone at a later comparison"
        RESOLVED = "RESOLVED", "resolved by an operator"

    day = models.DateField()
    kind = models.CharField(max_length=15, choices=Kind)
    end_to_end_id = models.CharField(max_length=100, blank=True)  # empty for a balance
    bank_value = models.BigIntegerField()  # centavos, negative for money that left
    our_value = models.BigIntegerField()
    status = models.CharField(max_length=8, choices=Status, default=Status.OPEN)
    created_at = models.DateTimeField(default=timezone.now)
    resolved_at = models.DateTimeField(null=True)
    resolution = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["day", "kind", "end_to_end_id"], name="bank_difference_once"),
        ]
        indexes = [
            models.Index(fields=["end_to_end_id"], name="bank_difference_by_id", opclasses=["varchar_pattern_ops"])
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.kind} {self.end_to_end_id}".strip()


class LedgerCheck(models.Model):
    """One run of all checks of the ledger (`payments.checks`), with what it found: name, count and offenders of each."""

    at = models.DateTimeField(default=timezone.now)
    seconds = models.FloatField()
    passed = models.PositiveIntegerField()
    failed = models.PositiveIntegerField()
    findings = models.JSONField(default=list)  # of the checks that failed

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed"
