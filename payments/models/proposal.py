"""What one operator proposes and another one decides: acts that move money, or change a fee or a limit."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from payments.models.base import PublicIdField
from payments.models.company import Company


class Proposal(models.Model):
    """An act (`payments.services.acts`) on a row. PROPOSED → APPROVED → DONE | FAILED; PROPOSED → REFUSED | WITHDRAWN.

    `before` and `after` are the values that it changes, by field. The act is done only where `before` still holds.
    """

    class Status(models.TextChoices):
        PROPOSED = "PROPOSED"
        APPROVED = "APPROVED", "approved, under way"
        DONE = "DONE"
        FAILED = "FAILED"
        REFUSED = "REFUSED"
        WITHDRAWN = "WITHDRAWN", "withdrawn by who proposed it"

    OPEN = (Status.PROPOSED, Status.APPROVED)

    public_id = PublicIdField()
    act = models.CharField(max_length=40)
    target = models.CharField(max_length=40)  # the row's primary key
    subject = models.CharField(max_length=200)  # the row in words
    company = models.ForeignKey(Company, on_delete=models.PROTECT, null=True, related_name="+")
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    reason = models.CharField(max_length=200)
    proposer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    decider = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    status = models.CharField(max_length=9, choices=Status, default=Status.PROPOSED)
    outcome = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="proposal_has_four_eyes",
                condition=~Q(status__in=["APPROVED", "DONE", "FAILED", "REFUSED"])
                | (Q(decider__isnull=False) & ~Q(decider=F("proposer"))),
            ),
            models.UniqueConstraint(
                fields=["act", "target"], name="proposal_open_once", condition=Q(status__in=["PROPOSED", "APPROVED"])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.act} {self.subject}"
