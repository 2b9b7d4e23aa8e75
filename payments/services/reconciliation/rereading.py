"""Read one Pix at the bank again, by its end-to-end id, and book what is missing of it: itself, or its returns."""

from __future__ import annotations

from datetime import datetime

from payments import bank
from payments.bank.port import BankError, BankNotFound
from payments.models import ReceivedPix
from payments.pix import ids
from payments.services.errors import Invalid, NotFound, Unavailable
from payments.services.reconciliation import booking


def read_again(end_to_end_id: str, now: datetime | None = None) -> ReceivedPix | None:
    """Book the Pix as the bank has it. Idempotent. None where it is of no company here.

    Raises:
        Invalid: this is no end-to-end id, or the Pix cannot be booked.
        NotFound: the bank has no such Pix.
        Unavailable: the bank does not answer.
    """
    try:
        ids.parse(end_to_end_id)
    except ids.InvalidId as error:
        raise Invalid("This is no end-to-end id", "endToEndId") from error
    try:
        found = bank.current().read_received(end_to_end_id)
    except BankNotFound as error:
        raise NotFound("The bank has no such Pix") from error
    except BankError as error:
        raise Unavailable("The bank does not answer. Nothing was changed") from error
    if failed := booking.book([found], now):
        raise Invalid(f"The Pix is not booked: {failed[0][1]}")
    return ReceivedPix.objects.filter(end_to_end_id=end_to_end_id).first()
