"""Four eyes: one operator proposes an act of `acts.ACTS`, another one approves or refuses it. Approved, it is done at once."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Model, Q
from django.utils import timezone

from payments.models import Company, Proposal, User
from payments.services.acts import ACTS, Act
from payments.services.errors import Invalid, ServiceError, Unavailable

log = logging.getLogger(__name__)

STUCK = timedelta(minutes=5)  # after which an approved act, whose process died, may be approved again
Status = Proposal.Status


def propose(
    operator: User, act: str, row: Model, reason: str, after: dict[str, Any] | None = None, now: datetime | None = None
) -> Proposal:
    """Write down the proposal. Nothing is done yet.

    Args:
        after: the values that the act gives the row, by field; those of the row are kept beside them.

    Raises Invalid: the operator has not the right, there is an open proposal of this, or the act makes no sense now.
    """
    of, after = ACTS[act], after or {}
    _refuse_without_right(operator, of)
    row = of.model._default_manager.get(pk=row.pk)  # as it is now
    before = of.before(row)
    try:
        with transaction.atomic():
            return Proposal.objects.create(
                act=act,
                target=str(row.pk),
                subject=str(row)[:200],
                company=row if isinstance(row, Company) else getattr(row, "company", None),
                before={field: value for field, value in before.items() if not after or field in after} or before,
                after=after,
                reason=reason[:200],
                proposer=operator,
                created_at=now or timezone.now(),
            )
    except IntegrityError as error:
        raise Invalid("There is an open proposal of this already") from error


def approve(proposal: Proposal, operator: User, now: datetime | None = None) -> Proposal:
    """Do what was proposed. Returns it DONE, or FAILED with the refusal as its outcome.

    Raises:
        Invalid: the operator proposed it or has not the right, or it was decided already.
        Unavailable: it cannot be done just now, and waits for a decision as before.
    """
    now, of = now or timezone.now(), ACTS[proposal.act]
    if operator.pk == proposal.proposer_id:
        raise Invalid("Who proposed it does not approve it")
    _refuse_without_right(operator, of)
    row = of.model._default_manager.get(pk=proposal.target)
    free = Q(status=Status.PROPOSED) | Q(status=Status.APPROVED, decided_at__lt=now - STUCK)
    mine = Proposal.objects.filter(free, pk=proposal.pk).exclude(proposer=operator)
    if not mine.update(status=Status.APPROVED, decider=operator, decided_at=now):
        raise Invalid("It was decided already")
    proposal.refresh_from_db()
    try:
        _refuse_changed(of, row, proposal)
        return _end(proposal, Status.DONE, of.perform(row, proposal))
    except Unavailable:
        Proposal.objects.filter(pk=proposal.pk).update(status=Status.PROPOSED, decider=None, decided_at=None)
        raise
    except ServiceError as refusal:
        return _end(proposal, Status.FAILED, refusal.message)


def refuse(proposal: Proposal, operator: User, reason: str, now: datetime | None = None) -> Proposal:
    """Decide against it; who proposed it withdraws it so. Raises Invalid as `approve`."""
    own = operator.pk == proposal.proposer_id
    if not own:
        _refuse_without_right(operator, ACTS[proposal.act])
    changed = Proposal.objects.filter(pk=proposal.pk, status=Status.PROPOSED).update(
        status=Status.WITHDRAWN if own else Status.REFUSED,
        decider=operator,
        decided_at=now or timezone.now(),
        outcome=reason[:300],
    )
    if not changed:
        raise Invalid("It was decided already")
    proposal.refresh_from_db()
    return proposal


def _end(proposal: Proposal, status: str, outcome: str) -> Proposal:
    proposal.status, proposal.outcome = status, outcome[:300]
    proposal.save(update_fields=["status", "outcome"])
    log.info("Proposal %s (%s) is %s: %s", proposal.public_id, proposal.act, status, outcome)
    return proposal


def _refuse_changed(of: Act, row: Model, proposal: Proposal) -> None:
    now = of.before(row)
    if any(now.get(field) != value for field, value in proposal.before.items()):
        raise Invalid("It has changed since it was proposed")


def _refuse_without_right(operator: User, of: Act) -> None:
    if not operator.has_perm(of.permission):
        raise Invalid("You have not the right for this")
