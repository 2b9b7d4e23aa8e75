"""A static QR code."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from payments.models.base import PublicIdField, new_correlation_id
from payments.models.company import Company


class QrCode(models.Model):
    """A static QR code of a company's Pix key, which anybody may pay any number of times. No bank knows of it.

    A Pix is known to be paid to it by `identifier`, which the code carries and the bank reports as the Pix's txid.
    """

    public_id = PublicIdField()
    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="qr_codes")
    correlation_id = models.CharField(max_length=255, default=new_correlation_id)
    name = models.CharField(max_length=140)
    value = models.BigIntegerField(null=True)  # centavos; without one the payer chooses
    comment = models.CharField(max_length=140, blank=True)  # shown to the payer
    identifier = models.CharField(max_length=25)  # letters and digits
    pix_key = models.CharField(max_length=77)
    br_code = models.CharField(max_length=512)
    payment_link_id = models.UUIDField(default=uuid.uuid4, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "static QR code"
        constraints = [
            models.UniqueConstraint(fields=["company", "correlation_id"], name="qr_code_correlation_id_once"),
            models.UniqueConstraint(fields=["company", "identifier"], name="qr_code_identifier_once"),
            models.CheckConstraint(name="qr_code_value_positive", condition=Q(value=None) | Q(value__gt=0)),
        ]
        indexes = [models.Index(fields=["company", "-created_at"], name="qr_code_by_company")]

    def __str__(self) -> str:
        return self.name
