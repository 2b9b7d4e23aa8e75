"""The Pix keys that a company has besides its default one, and what look-ups of keys cost it."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from payments.models.company import Company


class FurtherKey(models.Model):
    """A Pix key that a company has registered at the bank, besides its default one (`Company.pix_key`).

    The bank registers it once for its `request_id`, however often it is asked. A removed one stays: a Pix that is on its
    way to it is still the company's.
    """

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="further_keys")
    request_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    key_type = models.CharField(max_length=5)  # CPF, CNPJ, EMAIL, PHONE or EVP
    pix_key = models.CharField(max_length=77, blank=True)  # empty until the bank has chosen it
    created_at = models.DateTimeField(default=timezone.now)
    registered_at = models.DateTimeField(null=True)  # None while the bank has not answered
    removed_at = models.DateTimeField(null=True)  # or refused
    removing_since = models.DateTimeField(null=True)  # while the bank has not answered the removal

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["company", "key_type"],
                name="further_key_asked_once",
                condition=Q(registered_at=None, removed_at=None),
            ),
            models.UniqueConstraint(
                fields=["pix_key"],
                name="further_key_once",
                condition=Q(registered_at__isnull=False, removed_at=None),
            ),
        ]
        indexes = [
            models.Index(fields=["pix_key"], name="further_key_by_key"),
            models.Index(
                fields=["removing_since"], name="further_key_removing", condition=Q(removing_since__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.pix_key or str(self.request_id)


class PixKeyMovement(models.Model):
    """One movement of a company's token bucket for look-ups, as the API shows it. The bucket itself is in Redis."""

    class Operation(models.TextChoices):
        ADD = "ADD"
        REMOVE = "REMOVE"
        REFILL = "REFILL"

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="pix_key_movements")
    operation = models.CharField(max_length=6, choices=Operation)
    reason = models.CharField(max_length=40)
    tokens = models.PositiveIntegerField()
    tokens_before = models.PositiveIntegerField()
    tokens_after = models.PositiveIntegerField()
    end_to_end_id = models.CharField(max_length=32, blank=True)
    pix_key = models.CharField(max_length=77, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["company", "-id"], name="pix_key_movements_of")]

    def __str__(self) -> str:
        return f"{self.operation} {self.tokens} {self.reason}"
