"""How often the bank is called, by all processes together; and waiting where the bank itself says so.

Two limits, charged in one round trip before each call: `bank.calls` of the whole platform, and `bank.company` of the
company for which the call is made (`acting_for`), so that no merchant uses up what all share. A 429 with
Retry-After stops every process until then: a bank that is called all the same may refuse for longer. A 503 does not: it
may be of one call alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from payments.bank.port import not_sent
from woovi.ratelimit import Ask, block, store, take

CALLS, COMPANY = "bank.calls", "bank.company"
LONGEST = 3_600.0  # seconds of Retry-After that are obeyed; a bank that says more is asked again after an hour

_company: ContextVar[str] = ContextVar("company", default="")


@contextlib.contextmanager
def acting_for(company_id: int) -> Iterator[None]:
    """Calls in the block are made for this company."""
    token = _company.set(str(company_id))
    try:
        yield
    finally:
        _company.reset(token)


def take_turn(bank: str) -> None:
    """Charge one call to `bank`, a name of ours for it. Raises BankUnavailable: nothing was sent."""
    who = {"bank": bank, **({"company": company} if (company := _company.get()) else {})}
    decision = take(*store.current().asks([CALLS, COMPANY], who))
    if not decision.allowed:
        names = ", ".join(policy.name for policy in decision.violated)
        error = not_sent("NotSent", f"not sent because of {names}; again in {decision.retry_after:.0f} s")
        error.retry_after = decision.retry_after
        raise error


def told(bank: str, retry_after: str, now: datetime | None = None) -> None:
    """The bank answered 429 with this header: seconds, or a date (RFC 9110 §10.2.3). Nothing where it is neither."""
    seconds = min(_seconds(retry_after.strip(), now or datetime.now(UTC)), LONGEST)
    for ask in store.current().asks([CALLS], {"bank": bank}):
        block(Ask(ask.policy, ask.subject), seconds)


def _seconds(text: str, now: datetime) -> float:
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return 0.0
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now.timestamp()
