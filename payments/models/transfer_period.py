"""How much a company has sent in each period of the day."""

from __future__ import annotations

from datetime import time

from django.db import models
from django.utils.timezone import localtime

from payments.models.company import Company
from payments.money import format_reais

DAY_STARTS, NIGHT_STARTS = time(6), time(20)  # in Brazil's time


class TransferPeriod(models.Model):
    """Centavos `used` of a company's limit in the period that began at `starts_at`: approved there, and not failed."""

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="+", db_index=False)
    starts_at = models.DateTimeField()
    used = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["company", "starts_at"], name="transfer_period_once")]

    def __str__(self) -> str:
        return f"{localtime(self.starts_at):%d/%m/%Y %H:%M}: {format_reais(self.used)}"
