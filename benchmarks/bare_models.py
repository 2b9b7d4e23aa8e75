"""The floor's tables for Django's ORM: the same columns, outside of any app."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone


class BareAccount(models.Model):
    posted = models.BigIntegerField()

    class Meta:
        app_label, db_table, managed = "benchmarks", 'bare"."account', False


class BareTransaction(models.Model):
    id = models.BigAutoField(primary_key=True)
    company_id = models.BigIntegerField()
    kind = models.CharField(max_length=40)
    correlation_id = models.CharField(max_length=255)
    request_hash = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label, db_table, managed = "benchmarks", 'bare"."ledgertransaction', False


class BareEntry(models.Model):
    id = models.BigAutoField(primary_key=True)
    transaction_id = models.BigIntegerField()
    line = models.SmallIntegerField()
    account_id = models.BigIntegerField()
    amount = models.BigIntegerField()
    pending = models.BigIntegerField(default=0)

    class Meta:
        app_label, db_table, managed = "benchmarks", 'bare"."entry', False


class BareEvent(models.Model):
    id = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField(default=uuid.uuid4)
    topic = models.CharField(max_length=100)
    tenant = models.CharField(max_length=64)
    payload = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)

    class Meta:
        app_label, db_table, managed = "benchmarks", 'bare"."event', False
