"""The bucket in front of the DICT, by tax id: who asks for many keys that do not exist is refused.

Source: Woovi, `docs/payment/pix-key-token-bucket.md`. A bucket of 500, 20 a minute come back. A key that was found costs 1;
one that was not found, that the DICT calls invalid, or that the DICT had no time for, 20. Refused below 20, before the
DICT is asked. A Pix approved to a key that was looked up gives 2 back. What is answered from a cache, or is a key of the
platform's own, asks for no look-up. The figures are those of the policy `pix.keys`, which operators may change.

The 20 are reserved before the DICT is asked and settled afterwards: of forty look-ups at once, the bucket lets through as
many as it could pay for at their worst. Woovi counts afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from payments.models import Company, PixKeyMovement
from payments.services.errors import TooMany
from woovi.ratelimit import Ask, give_back, reserve, store, take

POLICY = "pix.keys"
WORST = 20
COSTS = {"DICT_LOOKUP": 1, "NOT_FOUND_PIX_KEY": WORST, "INVALID_PIX_KEY": WORST, "TOO_MANY_REQUESTS": WORST}
REWARD, REWARD_REASON = 2, "DICT_MESSAGE_REFUND"
REFUSAL = "You tried to consult many Pix keys that do not exist."

Operation = PixKeyMovement.Operation


@dataclass
class Lookup:
    """What became of a look-up. One that nobody says anything of cost the worst: the DICT may have counted it."""

    reason: str = "TOO_MANY_REQUESTS"
    end_to_end_id: str = ""


@contextmanager
def lookup(company: Company, pix_key: str) -> Iterator[Lookup]:
    """One question to the DICT. Set `reason` to one of COSTS inside. Raises TooMany below 20 tokens."""
    reserved = reserve(*_ask(company, WORST))
    decision = reserved.take()
    if not decision.allowed:
        raise TooMany(REFUSAL, "pixKey", retry_after=decision.retry_after)
    left = decision.remaining if decision.asks else _most(company)
    asked = Lookup()
    try:
        yield asked
    finally:
        cost = COSTS[asked.reason]
        reserved.settle(cost)
        before = left + WORST
        _write(company, Operation.REMOVE, asked.reason, before, before - cost, pix_key, asked.end_to_end_id)


def reward(company: Company, pix_key: str, end_to_end_id: str) -> None:
    """A Pix was approved to a key that was looked up. Once an end-to-end id."""
    if PixKeyMovement.objects.filter(company=company, reason=REWARD_REASON, end_to_end_id=end_to_end_id).exists():
        return
    before = balance(company).tokens
    give_back(*_ask(company, REWARD))
    after = min(before + REWARD, _most(company))
    _write(company, Operation.ADD, REWARD_REASON, before, after, pix_key, end_to_end_id)


@dataclass(frozen=True)
class Balance:
    """As the contract has it: what there is, the most there can be, and what a minute adds."""

    tokens: int
    most: int
    next_refresh: datetime
    after_refresh: int
    rate: int


def balance(company: Company, now: datetime | None = None) -> Balance:
    """What the company has left. Nothing is charged."""
    policy = store.current().policy(POLICY, f"taxid:{company.tax_id}")
    most = policy.burst or policy.limit
    asks = _ask(company, 0)
    tokens = take(*asks).remaining if asks else most
    refresh = (now or timezone.now()) + timedelta(seconds=policy.per)
    return Balance(tokens, most, refresh, min(tokens + policy.limit, most), policy.limit)


def _ask(company: Company, cost: int) -> tuple[Ask, ...]:
    return store.current().asks([POLICY], {"taxid": company.tax_id}, cost)


def _most(company: Company) -> int:
    policy = store.current().policy(POLICY, f"taxid:{company.tax_id}")
    return policy.burst or policy.limit


def _write(
    company: Company, operation: str, reason: str, before: int, after: int, key: str, end_to_end_id: str
) -> None:
    """The movement, and before it the refill since the last one, which nobody was there to see."""
    last = PixKeyMovement.objects.filter(company=company).order_by("-id").values_list("tokens_after", flat=True).first()
    rows = []
    if last is not None and last < before:
        rows.append(_row(company, Operation.REFILL, "REFILL", last, before))
    rows.append(_row(company, operation, reason, before, after, pix_key=key, end_to_end_id=end_to_end_id))
    PixKeyMovement.objects.bulk_create(rows)


def _row(company: Company, operation: str, reason: str, before: int, after: int, **fields: str) -> PixKeyMovement:
    return PixKeyMovement(
        company=company,
        operation=operation,
        reason=reason,
        tokens=abs(after - before),
        tokens_before=before,
        tokens_after=after,
        **fields,
    )
