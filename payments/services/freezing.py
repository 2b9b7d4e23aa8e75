"""Freeze a company: no payment leaves, no refund is asked for, no charge is made, as chosen. It holds from the next request on.

What the bank was asked for before goes on to its end. Money that comes in is booked, and payers' money in suspense is returned.
Approved payments that were not sent wait; batches are paused, and somebody resumes them after the release.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from payments.models import Company, PayoutBatch
from payments.services import batches
from payments.services.errors import Invalid
from payments.services.frozen import KINDS, Kind

log = logging.getLogger(__name__)


def freeze(company: Company, kinds: Collection[Kind]) -> list[str]:
    """Freeze these. Returns all that is frozen now."""
    _set(company, kinds, True)
    if "payments" in kinds:
        for batch in PayoutBatch.objects.filter(company=company, status=PayoutBatch.Status.RUNNING):
            try:
                batches.pause(batch, "The company's payments are frozen")
            except Invalid:
                log.info("Batch %s does not run any more", batch.public_id)
    return frozen(Company.objects.get(pk=company.pk))


def release(company: Company, kinds: Collection[Kind]) -> list[str]:
    """Let the company do these again. Returns what is still frozen."""
    _set(company, kinds, False)
    return frozen(Company.objects.get(pk=company.pk))


def frozen(company: Company) -> list[str]:
    """What is frozen of the company."""
    return [kind for kind in KINDS if getattr(company, f"{kind}_frozen")]


def _set(company: Company, kinds: Collection[Kind], to: bool) -> None:
    Company.objects.filter(pk=company.pk).update(**{f"{kind}_frozen": to for kind in kinds})
    log.warning("Company %s: %s %s", company.public_id, "frozen" if to else "released", ", ".join(kinds))
