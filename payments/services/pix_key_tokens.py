"""A token bucket per tax id for look-ups in the DICT. It stops companies that ask for many keys that do not exist.

Source: Woovi, `docs/payment/pix-key-token-bucket.md`. The bucket holds 500 tokens and gains 20 a minute. A key that is
found costs 1 token. A key that is not found, is invalid, or for which the DICT had no time costs 20. Below 20 tokens a
look-up is refused before the DICT is asked. A Pix approved to a looked-up key gives back 2. Answers from a cache, and
the platform's own keys, cost nothing, nor does a bank that is down. Operators may change the size and the rate in the policy `pix.keys`.

20 tokens are reserved before the DICT is asked, and settled afterwards. So of forty look-ups at once, only as many pass
as the bucket can pay for at 20 each. Woovi counts afterwards.

Behind it are the DICT's own buckets (API DICT 2.6, policies ENTRIES_READ_USER_ANTISCAN, its V2, and
ENTRIES_READ_PARTICIPANT_ANTISCAN), which we keep here too, so that the DICT never has to refuse us: of the payer, one for
e-mails and phones and one for the other keys; and of the participant, by its category. All are charged in the same step.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from payments.models import Company, PixKeyMovement
from payments.pix.keys import InvalidKey, KeyType, parse
from payments.services.errors import TooMany
from woovi.ratelimit import Ask, give_back, reserve, store, take

POLICY, PARTICIPANT = "pix.keys", "dict.participant"
WORST, WORST_OF_PARTICIPANT = 20, 3
NOT_ASKED = ""  # the DICT gave no answer; there is no movement then
COSTS = {
    "DICT_LOOKUP": 1,
    "NOT_FOUND_PIX_KEY": WORST,
    "INVALID_PIX_KEY": WORST,
    "TOO_MANY_REQUESTS": WORST,
    NOT_ASKED: 0,
}
REWARD, REWARD_REASON = 2, "DICT_MESSAGE_REFUND"
REFUSAL = "You tried to consult many Pix keys that do not exist."
FULL = "The directory of Pix keys takes no more look-ups now. Try again later."

Operation = PixKeyMovement.Operation


@dataclass
class Lookup:
    """The result of a look-up. Where `reason` is not set, it costs 20 tokens: the DICT may have counted it."""

    reason: str = "TOO_MANY_REQUESTS"
    end_to_end_id: str = ""


@contextmanager
def lookup(company: Company, pix_key: str) -> Iterator[Lookup]:
    """A context for one look-up in the DICT. Set `reason` to a key of COSTS inside. Raises TooMany below 20 tokens."""
    reserved = reserve(*_ask(company, WORST), *_of_dict(company, pix_key, WORST, WORST_OF_PARTICIPANT))
    decision = reserved.take()
    if not decision.allowed:
        ours = any(policy.name == POLICY for policy in decision.violated)
        raise TooMany(REFUSAL if ours else FULL, "pixKey", retry_after=decision.retry_after)
    left = next((state.remaining for state in decision.states if state.ask.policy.name == POLICY), _most(company))
    asked = Lookup()
    try:
        yield asked
    finally:
        cost = COSTS[asked.reason]
        reserved.settle(cost)  # of the participant's three it keeps as many
        before = left + WORST
        if cost:
            _write(company, Operation.REMOVE, asked.reason, before, before - cost, pix_key, asked.end_to_end_id)


def _of_dict(company: Company, pix_key: str, cost: int, of_participant: int) -> tuple[Ask, ...]:
    """The DICT's two buckets for a look-up of this key by this payer: a person (CPF) or a company (CNPJ)."""
    try:
        antiscan = "user" if parse(pix_key).type in (KeyType.EMAIL, KeyType.PHONE) else "user-v2"
    except InvalidKey:  # the DICT will refuse it; it counts as the keys that look like numbers
        antiscan = "user-v2"
    user = f"dict.{antiscan}.{'pf' if len(company.tax_id) == 11 else 'pj'}"
    limits, who = store.current(), {"taxid": company.tax_id, "ispb": settings.BANK_ISPB}
    return limits.asks([user], who, cost) + limits.asks([PARTICIPANT], who, of_participant)


def was_looked_up(company: Company, pix_key: str, now: datetime) -> bool:
    """Whether the company has paid for a look-up of this key within a day."""
    paid = PixKeyMovement.objects.filter(company=company, reason="DICT_LOOKUP", pix_key=pix_key)
    return paid.filter(created_at__gt=now - timedelta(days=1)).exists()


def reward(company: Company, pix_key: str, end_to_end_id: str) -> None:
    """Give back 2 tokens, once per end-to-end id, after a Pix was approved to a looked-up key."""
    if PixKeyMovement.objects.filter(company=company, reason=REWARD_REASON, end_to_end_id=end_to_end_id).exists():
        return
    before = balance(company).tokens
    of_dict = 1 if len(company.tax_id) == 11 else 2  # DICT: a person's payment gives back 1, a company's 2
    give_back(*_ask(company, REWARD), *_of_dict(company, pix_key, of_dict, 1))
    after = min(before + REWARD, _most(company))
    _write(company, Operation.ADD, REWARD_REASON, before, after, pix_key, end_to_end_id)


def check_enough(company: Company, now: datetime | None = None) -> None:
    """Raise TooMany where the company may look up no key, telling how many tokens that takes and when they are there."""
    now = now or timezone.now()
    found = balance(company, now)
    if (missing := WORST - found.tokens) > 0:
        wait = (found.next_refresh - now) * missing / found.rate
        at = f"{timezone.localtime(now + wait):%H:%M:%S}"
        raise TooMany(
            f"{WORST} tokens for look-ups of Pix keys are needed, {found.tokens} are there, all at {at}",
            "pixKey",
            retry_after=wait.total_seconds(),
        )


@dataclass(frozen=True)
class Balance:
    """A bucket as the API shows it: tokens now, its size, tokens after the next refresh, tokens per minute."""

    tokens: int
    most: int
    next_refresh: datetime
    after_refresh: int
    rate: int


def balance(company: Company, now: datetime | None = None) -> Balance:
    """The company's bucket now. Costs no token."""
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
    """Write the movement, and before it the refill since the last movement."""
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
