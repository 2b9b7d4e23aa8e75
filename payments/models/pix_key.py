"""What look-ups of Pix keys cost a company."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from payments.models.company import Company


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
