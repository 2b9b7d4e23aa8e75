"""A charge, the Pix received for it, and refunds."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from payments.models.base import PublicIdField
from payments.models.company import Company
from payments.models.ledger import LedgerTransaction
from payments.models.qr_code import QrCode
from payments.pix import overdue
from payments.pix.business_days import local_day
from woovi.locks import FencedModel


def terms_of(value: int, due: date, valid_for: int, terms: dict[str, Any]) -> overdue.Terms:
    """What a charge with a due date is worth, of its columns. `terms` is in the contract's shape."""

    def part(name: str) -> overdue.Part | None:
        found = terms.get(name)
        return overdue.Part(found["value"], found["type"] == "PERCENTAGE") if found else None

    discount = terms.get("discountSettings")
    return overdue.Terms(
        value=value,
        due=due,
        valid_for=valid_for,
        fine=part("fines"),
        interest=part("interests"),
        discount=discount
        and overdue.Discount(
            modality=overdue.MODALITIES[discount["modality"]],
            steps=tuple(
                (date.fromisoformat(step["data"]), step["value"]) for step in discount.get("discountFixedDate", ())
            ),
            per_day=discount.get("value", 0),
        ),
    )


class Charge(FencedModel):
    """A request for a payment of `value` centavos. ACTIVE → COMPLETED | EXPIRED, both final. A deleted one is EXPIRED too.

    It is not shown before the bank has registered it (`registered_at`). Until then the same request, sent again,
    resumes it.
    """

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE"
        COMPLETED = "COMPLETED"
        EXPIRED = "EXPIRED"

    class Type(models.TextChoices):
        DYNAMIC = "DYNAMIC", "immediate"  # a cob
        OVERDUE = "OVERDUE", "with a due date"  # a cobv

    public_id = PublicIdField()
    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="charges")
    correlation_id = models.CharField(max_length=255)
    request_hash = models.BinaryField(max_length=32, editable=False)
    value = models.BigIntegerField()
    fee = models.BigIntegerField()
    refunded = models.BigIntegerField(default=0)  # centavos of refunds that are confirmed or under way
    # The part of `refunded` that the bank returned by itself. It does not ask us, so `refunded` may exceed the value
    # until the bank has refused a refund of ours.
    returned_by_bank = models.BigIntegerField(default=0, db_default=0)
    type = models.CharField(max_length=7, choices=Type, default=Type.DYNAMIC, db_default=Type.DYNAMIC)
    due_date = models.DateField(null=True)
    valid_for = models.PositiveIntegerField(null=True)  # days after the due date on which it may still be paid
    terms = models.JSONField(null=True)  # fines, interests and discountSettings, in the contract's shape
    paid_value = models.BigIntegerField(null=True)  # centavos of the Pix that paid an OVERDUE charge
    comment = models.CharField(max_length=140, blank=True)
    customer = models.JSONField(null=True)  # as sent: name, taxID, email, phone, correlationID, address
    additional_info = models.JSONField(default=list)  # [{"key", "value"}]
    splits = models.JSONField(null=True)  # [{"value", "pixKey", "splitType", "account", "company"}], see charges.splits
    ensure_same_tax_id = models.BooleanField(default=False)
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    txid = models.CharField(max_length=35, unique=True)
    # The company's default key when the charge was made, as the bank has it. Empty in charges of before it was kept.
    pix_key = models.CharField(max_length=77, blank=True, default="", db_default="")
    payment_link_id = models.UUIDField(default=uuid.uuid4, unique=True)
    br_code = models.CharField(max_length=512, blank=True)
    expires_in = models.PositiveIntegerField()  # seconds
    expires_at = models.DateTimeField()
    registered_at = models.DateTimeField(null=True)
    paid_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["company", "correlation_id"], name="charge_correlation_id_once"),
            models.CheckConstraint(name="charge_value_positive", condition=Q(value__gt=0)),
            models.CheckConstraint(
                name="charge_refund_range",
                condition=Q(refunded__gte=0)
                & Q(refunded__lte=Coalesce(F("paid_value"), F("value")) + F("returned_by_bank")),
            ),
            models.CheckConstraint(
                name="charge_completed_is_paid",
                condition=Q(status="COMPLETED", paid_at__isnull=False) | (~Q(status="COMPLETED") & Q(paid_at=None)),
            ),
            models.CheckConstraint(
                name="charge_overdue_has_due_date",
                condition=Q(type="DYNAMIC", due_date=None, valid_for=None, terms=None, paid_value=None)
                | Q(type="OVERDUE", due_date__isnull=False, valid_for__isnull=False, terms__isnull=False),
            ),
            models.CheckConstraint(name="charge_deleted_is_over", condition=Q(deleted_at=None) | Q(status="EXPIRED")),
        ]
        indexes = [
            models.Index(fields=["company", "-created_at"], name="charge_by_company"),
            models.Index(fields=["expires_at"], name="charge_due", condition=Q(status="ACTIVE")),
            BrinIndex(fields=["created_at"], name="charge_by_time"),
            models.Index(fields=["correlation_id"], name="charge_by_id", opclasses=["varchar_pattern_ops"]),
        ]

    @property
    def left(self) -> int:
        """Centavos that may still be refunded."""
        return max(self.worth() - self.refunded, 0)

    @property
    def is_overdue(self) -> bool:
        """Whether it has a due date."""
        return self.type == self.Type.OVERDUE

    @property
    def due(self) -> overdue.Terms:
        """What an OVERDUE charge is worth on which day."""
        assert self.due_date is not None
        assert self.valid_for is not None
        return terms_of(self.value, self.due_date, self.valid_for, self.terms or {})

    def worth(self, at: datetime | None = None) -> int:
        """Centavos that were paid, or that are to be paid at `at` (default: now)."""
        if not self.is_overdue:
            return self.value
        if self.paid_value is not None:
            return self.paid_value
        return overdue.amounts(self.due, local_day(at or timezone.now())).total

    def __str__(self) -> str:
        return f"{self.correlation_id} {self.status}"


class ReceivedPix(models.Model):
    """A Pix that the bank received, written once per end-to-end id and never changed.

    A Pix that settles its charge, or has no charge here (`LOOSE`), is credited to the merchant. Any other goes to
    suspense and is returned to its payer; `outcome` says why.
    """

    class Outcome(models.TextChoices):
        SETTLED = "SETTLED", "paid its charge"
        LOOSE = "LOOSE", "no charge: credited"
        DUPLICATE = "DUPLICATE", "charge already paid: returned"
        LATE = "LATE", "charge expired or deleted: returned"
        WRONG_PAYER = "WRONG_PAYER", "another payer than the charge demands: returned"
        WRONG_VALUE = "WRONG_VALUE", "another value than the charge's: returned"

    public_id = PublicIdField()
    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="received")
    charge = models.ForeignKey(Charge, on_delete=models.PROTECT, null=True, related_name="received")
    qr_code = models.ForeignKey(QrCode, on_delete=models.PROTECT, null=True, related_name="received", db_index=False)
    end_to_end_id = models.CharField(max_length=32, unique=True)
    txid = models.CharField(max_length=35, blank=True)
    value = models.BigIntegerField()
    fee = models.BigIntegerField(default=0)
    outcome = models.CharField(max_length=12, choices=Outcome)
    paid_at = models.DateTimeField()  # the bank's time
    payer_name = models.CharField(max_length=200, blank=True)
    payer_tax_id = models.CharField(max_length=14, blank=True)
    payer_message = models.CharField(max_length=140, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "received pix"
        constraints = [
            models.UniqueConstraint(fields=["charge"], condition=Q(outcome="SETTLED"), name="charge_settled_once")
        ]
        indexes = [
            models.Index(fields=["company", "-created_at"], name="received_by_company"),
            BrinIndex(fields=["paid_at"], name="received_by_time"),
            models.Index(fields=["payer_tax_id"], name="received_by_payer", condition=~Q(payer_tax_id="")),
            models.Index(fields=["qr_code"], name="received_by_qr_code", condition=Q(qr_code__isnull=False)),
        ]

    @property
    def credited(self) -> bool:
        """Whether the merchant was credited. Otherwise the Pix is in suspense, or was returned."""
        return self.outcome in {self.Outcome.SETTLED, self.Outcome.LOOSE}

    def __str__(self) -> str:
        return f"{self.end_to_end_id} {self.outcome}"


class Refund(FencedModel):
    """A refund of `value` centavos to a payer. IN_PROCESSING → CONFIRMED | REJECTED.

    `hold` reserves the value in the ledger until the bank has answered. A refund is `automatic` where the platform
    returns a Pix that was not credited; it is paid out of suspense. A refund is `by_bank` where the bank made it by
    itself; nothing is held for it, and `debit` is posted once it is done. `correction` is the posting of an operator's
    correction.
    """

    class Status(models.TextChoices):
        IN_PROCESSING = "IN_PROCESSING"
        CONFIRMED = "CONFIRMED"
        REJECTED = "REJECTED"

    OPEN = (Status.IN_PROCESSING,)

    public_id = PublicIdField()
    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="refunds")
    received = models.ForeignKey(ReceivedPix, on_delete=models.PROTECT, related_name="refunds")
    charge = models.ForeignKey(Charge, on_delete=models.PROTECT, null=True, related_name="refunds")
    correlation_id = models.CharField(max_length=255)
    request_hash = models.BinaryField(max_length=32, editable=False)
    value = models.BigIntegerField()
    comment = models.CharField(max_length=140, blank=True)
    automatic = models.BooleanField(default=False)
    status = models.CharField(max_length=13, choices=Status, default=Status.IN_PROCESSING)
    by_bank = models.BooleanField(default=False, db_default=False)
    return_id = models.CharField(max_length=35, db_index=True)  # its id at the bank: ours, or the bank's own
    end_to_end_id = models.CharField(max_length=32, blank=True)  # the bank's, "D…"
    reason = models.CharField(max_length=200, blank=True)  # why the bank refused
    hold = models.OneToOneField(LedgerTransaction, on_delete=models.PROTECT, null=True, related_name="+")
    debit = models.OneToOneField(LedgerTransaction, on_delete=models.PROTECT, null=True, related_name="+")
    correction = models.OneToOneField(LedgerTransaction, on_delete=models.PROTECT, null=True, related_name="+")
    # The person who asked for it on the pages, or the operator who proposed it. None: a program, or the platform.
    maker = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    # When the bank was last asked. The column has its first name, since old processes run beside new ones for a while.
    asked_at = models.DateTimeField(null=True, db_column="checked_at")
    sent_at = models.DateTimeField(null=True)  # when it was last requested without an answer that ends it
    created_at = models.DateTimeField(default=timezone.now)
    resolved_at = models.DateTimeField(null=True)
    contradicted_at = models.DateTimeField(null=True)  # when the bank reported the opposite end; see check_ledger

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["company", "correlation_id"], name="refund_correlation_id_once"),
            models.UniqueConstraint(fields=["received", "return_id"], name="refund_return_id_once"),
            models.CheckConstraint(name="refund_value_positive", condition=Q(value__gt=0)),
            models.CheckConstraint(
                name="refund_holds_or_is_the_banks", condition=Q(by_bank=True) | Q(hold__isnull=False)
            ),
        ]
        indexes = [
            models.Index(fields=["company", "-created_at"], name="refund_by_company"),
            models.Index(fields=["created_at"], name="refund_open", condition=Q(status="IN_PROCESSING")),
            models.Index(
                fields=["company", "status", "-resolved_at"],
                name="refunds_ended",
                condition=Q(automatic=False, resolved_at__isnull=False),
            ),
            models.Index(fields=["id"], name="refund_contradicted", condition=Q(contradicted_at__isnull=False)),
            BrinIndex(fields=["resolved_at"], name="refund_by_time"),
            models.Index(fields=["correlation_id"], name="refund_by_id", opclasses=["varchar_pattern_ops"]),
            models.Index(fields=["end_to_end_id"], name="refund_by_bank_id", opclasses=["varchar_pattern_ops"]),
        ]

    def __str__(self) -> str:
        return f"{self.correlation_id} {self.status}"


class BankCursor(models.Model):
    """How far the bank's list of received Pix was read. A charge expires only once that is past the charge's end."""

    name = models.CharField(max_length=40, primary_key=True)
    read_until = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
