"""A merchant's customer."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from payments.models.base import PublicIdField, new_correlation_id
from payments.models.company import Company


class Customer(models.Model):
    """A person or company that a merchant charges. Charges keep their own copy of what was sent with them."""

    public_id = PublicIdField()
    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="customers")
    correlation_id = models.CharField(max_length=255, default=new_correlation_id)
    name = models.CharField(max_length=200)
    tax_id = models.CharField(max_length=14, blank=True)  # digits; stays once it is set
    email = models.CharField(max_length=255, blank=True)
    phone = models.CharField(max_length=255, blank=True)
    address = models.JSONField(default=dict)  # as sent
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["company", "correlation_id"], name="customer_correlation_id_once"),
            models.UniqueConstraint(fields=["company", "tax_id"], condition=~Q(tax_id=""), name="customer_tax_id_once"),
        ]
        indexes = [
            models.Index(fields=["company", "-created_at"], name="customer_by_company"),
            models.Index(fields=["correlation_id"], name="customer_by_id", opclasses=["varchar_pattern_ops"]),
            models.Index(fields=["tax_id"], name="customer_by_tax_id"),
            models.Index(fields=["email"], name="customer_by_email"),
        ]

    def __str__(self) -> str:
        return self.name
