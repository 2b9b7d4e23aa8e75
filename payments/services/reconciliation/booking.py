"""Book Pix that the bank reports, in a callback or in its list, together with their returns."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime

from payments.bank.port import BankReceived
from payments.services.charges import receiving, returning
from payments.services.errors import ServiceError
from woovi.locks import LockNotAvailable

log = logging.getLogger(__name__)


def book(pix: Iterable[BankReceived], now: datetime | None = None) -> list[tuple[BankReceived, str]]:
    """Book each Pix and its returns. Returns those that failed, each with the reason; the others are booked."""
    failed = []
    for received in pix:
        try:
            if receiving.receive(received, now):
                returning.note_returns(received.end_to_end_id, received.returns, now)
        except LockNotAvailable:  # another process asks the bank about its refund
            failed.append((received, "another process asks the bank about its return"))
            log.warning("Pix %s waits: another process asks the bank about its return", received.end_to_end_id)
        except Exception as error:
            # Only the type's name: a database error's message may contain the row, with personal data.
            failed.append((received, error.message if isinstance(error, ServiceError) else type(error).__name__))
            log.exception("Pix %s is not booked", received.end_to_end_id)
    return failed


def book_all(pix: Iterable[BankReceived], now: datetime | None = None) -> bool:
    """Book each Pix and its returns. Returns whether all are booked; if not, the bank is to send them again."""
    return not book(pix, now)
