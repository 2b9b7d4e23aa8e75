"""Have a bank carry out a row's instruction: a payment's Pix, a refund's return.

    lock the row -> note that the bank is asked -> look up what it may have -> note and request it -> book the answer

No transaction is open while the bank is asked (docs/locks.md). One process at a time asks for a row, and one that lost
its lock books nothing. Whatever is killed on whatever line, the next try looks the instruction up before it repeats it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db.models import F, Q, QuerySet

from payments.bank import pace
from payments.bank.port import BankError, BankUnavailable
from payments.models import Payment, Refund
from payments.services.instructions import Answer, Instruction, RefusedInDoubt, look_up, request
from woovi.locks import LockLost, LockNotAvailable, SplitLock, StaleFence
from woovi.queue import requeued

log = logging.getLogger(__name__)

WAIT = 2.0  # seconds for the row's lock: whoever has just approved it gives it back after the commit that queued this
CHECK_BATCH = 200
CHECK_SECONDS = 5.0  # of one run: where the bank hangs, the rest waits for the next run
Row = TypeVar("Row", Payment, Refund)


def carry_out(
    model: type[Row],
    pk: int,
    now: datetime,
    instruct: Callable[[Row], Instruction[Answer]],
    book: Callable[[Row, Answer, datetime], object],
    may_request: Callable[[Row], bool] = lambda row: True,
    **begun: Any,
) -> None:
    """Have the bank carry out an open row's instruction, and book its answer.

    Where another process has the row's lock, or took it over while the bank answered, that process books it.

    Args:
        instruct: the instruction of a row.
        book: books an answer, in a transaction that has the row locked.
        may_request: whether it may be requested now. What the bank may have is looked up all the same.
        begun: columns to set before the bank is asked.

    Raises BankError where the bank gave no answer that ends it: the row stays open.
    """
    try:
        with model.objects.lock_rows(pk=pk, timeout=WAIT) as lock:
            answer = _ask(lock, now, instruct, may_request, begun)
            if answer is not None:
                with lock.write() as rows:
                    book(rows.row, answer, now)
    except LockNotAvailable:
        log.info("%s %s: somebody else asks the bank", model.__name__, pk)
    except (LockLost, StaleFence):
        log.warning("%s %s was taken over by another process", model.__name__, pk)
    except BankError as error:
        log.warning("%s %s stays open: %s", model.__name__, pk, error)
        raise


def _ask(
    lock: SplitLock,
    now: datetime,
    instruct: Callable[[Row], Instruction[Answer]],
    may_request: Callable[[Row], bool],
    begun: dict[str, Any],
) -> Answer | None:
    """The bank's answer; None where the row is not open any more, or may not be requested and is not at the bank."""
    row: Row = lock.rows.row
    asked_before, may = row.asked_at is not None, may_request(row)
    if not (asked_before or may):
        return None
    # Before the call: after a crash in it, the bank may have the instruction.
    if not type(row).objects.filter(pk=row.pk, status__in=row.OPEN).update(asked_at=now, **begun):
        return None
    instruction = instruct(row)
    with pace.acting_for(row.company_id):
        if asked_before and (answer := look_up(instruction)):
            return answer
        lock.check()
        return request_noted(row, instruction, now) if may else None


def request_noted(row: Row, instruction: Instruction[Answer], now: datetime, **only: Any) -> Answer | None:
    """Request an open row's instruction, noted before as `sent_at`. None where it is not open, or as `only` says, any more.

    `sent_at` stays the time of the latest request that the bank has not answered. Raises as `request`.
    """
    earlier, rows = row.sent_at, type(row).objects.filter(pk=row.pk)
    if not rows.filter(status__in=row.OPEN, **only).update(sent_at=now):
        return None
    try:
        return request(instruction, now - earlier if earlier else None)
    except (BankUnavailable, RefusedInDoubt) as error:
        rows.filter(sent_at=now).update(sent_at=earlier or (now if isinstance(error, RefusedInDoubt) else None))
        raise


def ask_in_turn(
    rows: QuerySet[Row], after: timedelta, send: Callable[[int, datetime], object], now: datetime, sweep: str
) -> int:
    """`send` each of `rows` that was not asked about for `after`, least recently asked first. Returns how many.

    Those that nobody had asked about are noted at the periodic job `sweep`: their messages were lost, or are late.
    """
    due = rows.filter(Q(asked_at=None) | Q(asked_at__lt=now - after))
    ordered = due.order_by(F("asked_at").asc(nulls_first=True), "created_at")
    asked, began = 0, time.monotonic()
    found = list(ordered.values_list("pk", "asked_at")[:CHECK_BATCH])
    for pk, _ in found:
        taken = time.monotonic() - began
        if taken > CHECK_SECONDS:
            break
        send(pk, now + timedelta(seconds=taken))
        asked += 1
    if lost := [pk for pk, asked_at in found[:asked] if asked_at is None]:  # less those that wait for a release
        requeued.note(sweep, rows.model.objects.filter(pk__in=lost, asked_at__isnull=False).count(), now)
    return asked
