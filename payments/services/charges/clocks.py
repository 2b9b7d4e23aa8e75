"""Check the times that a bank reports against our own clock: some banks write local time as UTC, three hours off.

A difference of up to a minute is accepted. Beyond that our clock wins, since the bank's would create charges that have
expired already, or return a Pix that was paid in time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from payments.bank.port import BankCharge, BankReceived
from payments.models import Charge
from payments.pix import ids

APART = timedelta(minutes=1)
BEGAN = datetime(2020, 11, 3, tzinfo=UTC)  # Pix itself. A bank's empty date is of the year 1, or of 1970
AHEAD = timedelta(days=366)  # no clock of ours is slower; the simulator pays a charge after its end, a year at most
LONGEST = 31_536_000  # seconds, a year: no charge is made for longer, and a bank that says so counts in something else


def ends_at(charge: Charge, at_bank: BankCharge, now: datetime) -> datetime:
    """When the charge expires: the bank's creation time plus its seconds, where they are plausible, else from `now`.

    A bank that ends it sooner than it was asked to counts in something else. If it does end it sooner, nobody can pay
    any more, and nothing is lost by waiting.
    """
    made, asked, seconds = at_bank.created_at, charge.expires_in, at_bank.expires_in or 0
    if made is None or not charge.created_at - APART <= made <= now + APART:
        made = now
    return made + timedelta(seconds=seconds if asked <= seconds <= LONGEST else asked)


def paid_at(received: BankReceived, charge: Charge | None, now: datetime) -> datetime:
    """When the payer paid: not before the charge was created (without one: before there was Pix), and not after `now`.

    The end-to-end id has the minute by the clock of the payer's bank. Where both banks report a time in the future, our
    clock is slow, and theirs is taken.
    """
    earliest = charge.created_at - APART if charge else BEGAN
    latest = now + APART
    if earliest <= received.paid_at <= latest:
        return received.paid_at
    minted = _minute(received.end_to_end_id)
    if minted and latest < min(minted, received.paid_at) and max(minted, received.paid_at) < now + AHEAD:
        return received.paid_at
    return minted if minted and earliest <= minted <= latest else now


def _minute(end_to_end_id: str) -> datetime | None:
    try:
        return ids.parse(end_to_end_id).at
    except ids.InvalidId:
        return None
