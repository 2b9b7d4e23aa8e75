"""Sub-accounts: money that a company has set aside for somebody, inside its account."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from payments.models.company import Company
from payments.models.ledger import Account, LedgerTransaction
from woovi.locks import FencedModel


class Subaccount(FencedModel):
    """A part of the company's money, named by the Pix key to which it can be withdrawn.

    Its centavos are those of `account`, of kind SUBACCOUNT. A closed one keeps its account; the same key opens it again.
    """

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="subaccounts")
    pix_key = models.CharField(max_length=77)
    name = models.CharField(max_length=100)
    account = models.OneToOneField(Account, on_delete=models.PROTECT, related_name="subaccount")
    withdraw_blocked = models.BooleanField(default=False)  # nobody has the key, or its account is suspected of fraud
    created_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["company", "pix_key"], name="subaccount_once")]

    def __str__(self) -> str:
        return f"{self.name} ({self.pix_key})"


class MovementNote(models.Model):
    """What a company wrote about a movement between its accounts."""

    transaction = models.OneToOneField(
        LedgerTransaction, on_delete=models.PROTECT, related_name="note", db_constraint=False
    )
    text = models.CharField(max_length=140)

    def __str__(self) -> str:
        return self.text
