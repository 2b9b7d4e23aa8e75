"""Four eyes: one operator proposes an act of `acts.ACTS`, another one approves or refuses it. Approved, it is done at once."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet
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

    One whose process died is taken up: it is done where a repeat does no harm, else its outcome says that it may be done.

    Raises:
        Invalid: the operator proposed it or has not the right, or it was decided already.
        Unavailable: it cannot be done just now, and waits for a decision as before.
    """
    now, of, found = now or timezone.now(), ACTS[proposal.act], Proposal.objects.get(pk=proposal.pk)
    if operator.pk == found.proposer_id:
        raise Invalid("Who proposed it does not approve it")
    _refuse_without_right(operator, of)
    if not found.proposer.has_perm(
        of.permission
    ):  # left, or was found out: the second pair of eyes would be the only one
        raise Invalid("Who proposed it has no longer the right for this")
    row = of.model._default_manager.get(pk=found.target)
    before = {"status": found.status, "decider": found.decider, "decided_at": found.decided_at}
    mine = {"status": Status.APPROVED, "decider": operator, "decided_at": now}
    again = found.status == Status.APPROVED and found.decided_at is not None and found.decided_at < now - STUCK
    free = again or found.status == Status.PROPOSED
    if not free or not Proposal.objects.filter(pk=proposal.pk, **before).update(**mine):
        raise Invalid("It was decided already")
    # Whoever is slower than STUCK may lose it to another approver, and then no longer says how it ended.
    claimed = Proposal.objects.filter(pk=proposal.pk, **mine)
    try:
        return _end(claimed, proposal, Status.DONE, _perform(of, row, found, again))
    except Unavailable:
        claimed.update(**before)  # what may have been done before stays so
        raise
    except ServiceError as refusal:
        return _end(claimed, proposal, Status.FAILED, refusal.message)


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


def _perform(of: Act, row: Model, proposal: Proposal, again: bool) -> str:
    """Do the act where `before` still holds; or `again`, after a process that died and may have done it."""
    if again and of.repeatable:
        return of.perform(row, proposal)
    try:
        _refuse_changed(of, row, proposal)
        return of.perform(row, proposal)
    except Invalid as refusal:
        if not again:
            raise
        raise Invalid(
            f"It may have been done before its process died: look before you propose it again. {refusal.message}"
        ) from refusal


def _end(claimed: QuerySet[Proposal], proposal: Proposal, status: str, outcome: str) -> Proposal:
    if claimed.update(status=status, outcome=outcome[:300]):
        log.info("Proposal %s (%s) is %s: %s", proposal.public_id, proposal.act, status, outcome)
    else:
        log.warning("Proposal %s (%s) was taken up by another approver", proposal.public_id, proposal.act)
    proposal.refresh_from_db()
    return proposal


def _refuse_changed(of: Act, row: Model, proposal: Proposal) -> None:
    now = of.before(row)
    if any(now.get(field) != value for field, value in proposal.before.items()):
        raise Invalid("It has changed since it was proposed")


def _refuse_without_right(operator: User, of: Act) -> None:
    if not operator.has_perm(of.permission):
        raise Invalid("You have not the right for this")
