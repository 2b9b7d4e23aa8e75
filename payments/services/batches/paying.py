"""Pay a batch, chunk by chunk. Any number of workers may run, be doubled, or die at any line.

    claim a chunk -> send its rows, some at once -> book what came of them, many at a time -> the next chunk

A row has a payment once its end, or that it has none, is booked; so the payments are the cursor, and a chunk that a
worker left behind goes on where it stopped. Its rows without a payment may have been sent: they are looked up at the
bank first, and sent under the same id if they are not there. The first of them, one of which may have killed the
worker, are sent one by one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta

from django.conf import settings

from payments.bank import pace
from payments.bank.port import BankError, BankSent, BankUnavailable, SendOrder, SendStatus
from payments.models import Payment, PayoutBatch
from payments.services import instructions, switches
from payments.services.batches import leases, lifecycle, rows
from payments.services.batches.columns import Row
from payments.services.batches.leases import Chunk, LeaseLost
from payments.services.batches.settling import Result, payment_id, settle
from payments.services.errors import ServiceError
from payments.services.payments import outcomes
from payments.services.payments.sending import PixOut
from woovi import database
from woovi.threads import gives_back

log = logging.getLogger(__name__)

GATHER = 0.1  # seconds between bookings, and between looks whether to stop
MOST_ATTEMPTS = 3  # workers that may die of one row
SUSPECTS = 50  # rows without a payment that may have been under way when a worker died
MOST_UNANSWERED = 20  # rows in a row that the bank leaves unanswered, before it is given a rest
BACK_OFF = 2.0  # seconds after which a worker asks a bank again that is away
TURN = 20.0  # seconds after which a task ends, and another is hinted: work of others is not kept waiting
Status = Payment.Status
leaving = threading.Event()  # set where this process is told to end: it stops between two rows


def pay(batch_id: int | None = None, seconds: float = TURN) -> bool:
    """Pay chunks of one batch, or of whoever's turn it is, until none is left or `seconds` are over.

    Returns whether there is more to do. Raises what a row has raised; its chunk is then in doubt.
    """
    with ThreadPoolExecutor(settings.PAYOUT_IN_FLIGHT) as pool:
        return _pay(batch_id, seconds, pool)


def _pay(batch_id: int | None, seconds: float, pool: ThreadPoolExecutor) -> bool:
    end = time.monotonic() + seconds
    while not _must_stop() and (chunk := leases.claim(batch_id)):
        batch = PayoutBatch.objects.select_related("company").get(pk=chunk.batch_id)
        if batch.company.payments_frozen:  # approved in the moment of the freeze, which pauses those that run
            _pause(batch, "The company's payments are frozen")
            batch.refresh_from_db(fields=["status"])
        try:
            going = _pay_chunk(batch, chunk, pool)
        except LeaseLost:
            log.warning("Chunk %s of batch %s was taken over by another worker", chunk.id, batch.public_id)
            going = True
        except rows.Changed:
            chunk.give_back(BACK_OFF)
            _pause(batch, "Rows were changed after the approval")
            going = batch_id is None
        if not going and batch_id:
            return False
        if time.monotonic() > end:
            return True
    return False


def _must_stop() -> bool:
    """Whether this process ends, or payments are off for everybody. Batches stay as they are, and go on by themselves."""
    return leaving.is_set() or switches.is_off(switches.Name.PAYMENTS)


def _wait_for_the_bank(batch: PayoutBatch, error: BankUnavailable) -> None:
    """Otherwise a bank that is away would be asked for chunk after chunk."""
    log.warning("Batch %s waits: %s", batch.public_id, error)
    leaving.wait(BACK_OFF)


def _pause(batch: PayoutBatch, reason: str) -> None:
    try:
        lifecycle.pause(batch, reason)
    except ServiceError:
        log.info("Batch %s does not run any more", batch.public_id)


def _pay_chunk(batch: PayoutBatch, chunk: Chunk, pool: ThreadPoolExecutor) -> bool:
    """Send the chunk's rows. Returns whether to go on with another chunk."""
    going, in_doubt, work = batch.status == PayoutBatch.Status.RUNNING, False, rows.left(batch, chunk)
    if chunk.attempts > 1:
        # Rows are sent in order, so what was under way is among the first. Of a cancelled batch none is sent any more.
        suspects = SUSPECTS if going else len(work)
        going = _one_by_one(batch, chunk, work[:suspects])
        work = work[suspects:]
        batch.refresh_from_db(fields=["status"])
        going = going and (batch.status == PayoutBatch.Status.RUNNING or not work)
    if going:
        going, in_doubt = _many_at_once(batch, chunk, work, pool)
    if not going:
        chunk.give_back(BACK_OFF, in_doubt=in_doubt)
        settle(batch, [], database.now())  # where it was cancelled meanwhile, what is reserved for the rest is released
    return going


def _many_at_once(batch: PayoutBatch, chunk: Chunk, work: list[Row], pool: ThreadPoolExecutor) -> tuple[bool, bool]:
    """Send rows of a chunk, to its end, and book what came of them as it comes.

    Returns whether all were sent, and whether one is in doubt.
    """
    crew = _Crew(batch, chunk, work)
    running = [pool.submit(gives_back(crew.work)) for _ in range(min(settings.PAYOUT_IN_FLIGHT, len(work)))]
    try:
        _book_as_they_come(batch, chunk, crew, running)
    finally:
        crew.stop.set()
        wait(running)
    for each in running:
        each.result()  # raises what a row has raised
    whole = crew.is_whole()
    settle(batch, crew.take(), database.now(), chunk, last=whole)
    return whole, crew.in_doubt


def _book_as_they_come(batch: PayoutBatch, chunk: Chunk, crew: _Crew, running: list[Future[None]]) -> None:
    renewed = time.monotonic()
    while wait(running, timeout=GATHER).not_done:
        results = crew.take()
        if results or time.monotonic() > renewed + settings.PAYOUT_LEASE / 3:
            batch, renewed = settle(batch, results, database.now(), chunk), time.monotonic()
        else:
            batch.refresh_from_db(fields=["status"])
        if batch.status != PayoutBatch.Status.RUNNING or _must_stop():
            crew.stop.set()


class _Crew:
    """Threads that send rows off one list, until it is empty, the batch stops, or the bank is away.

    `in_doubt`: a row may be at the bank, though it has no result.
    """

    def __init__(self, batch: PayoutBatch, chunk: Chunk, work: list[Row]) -> None:
        self._batch, self._chunk, self._rows, self._count = batch, chunk, iter(work), len(work)
        self._look_up = chunk.attempts > 1
        self._lock, self.stop = threading.Lock(), threading.Event()
        self._results: list[Result] = []
        self._sent = self._unanswered = 0
        self.in_doubt = False

    def work(self) -> None:
        while not self.stop.is_set() and (row := self._next()):
            result = self._sent_row(row)
            if result is None:
                self.stop.set()
                return
            with self._lock:
                self._results.append(result)
                self._sent += 1
                self._unanswered = self._unanswered + 1 if result.is_unknown else 0
            if self._unanswered >= MOST_UNANSWERED:
                self.stop.set()
                leaving.wait(BACK_OFF)

    def _sent_row(self, row: Row) -> Result | None:
        """Send a row, and wait where our limit for the bank is used up. None where it was not sent: the batch waits.

        A thread that is late waits until the lease is renewed, and stops where it is lost: who has the chunk then has
        looked its rows up, and would not see what is sent after that.
        """
        holds, round_ = self._chunk.holds, self._batch.round
        while True:
            try:
                if holds() and (result := send_row(self._batch, row, round_, look_up=self._look_up, may_send=holds)):
                    return result
                if self.stop.wait(GATHER):
                    return None
            except BankUnavailable as error:
                if not 0 <= error.retry_after <= BACK_OFF:
                    # It says that nothing happened. But if that is not so, the row must be looked up.
                    self.in_doubt = self.in_doubt or error.was_sent
                    self.stop.set()
                    _wait_for_the_bank(self._batch, error)
                    return None
                if self.stop.wait(error.retry_after):
                    return None

    def _next(self) -> Row | None:
        with self._lock:
            return next(self._rows, None)

    def take(self) -> list[Result]:
        """What has come since it was last asked."""
        with self._lock:
            results, self._results = self._results, []
        return results

    def is_whole(self) -> bool:
        return self._sent == self._count


def _one_by_one(batch: PayoutBatch, chunk: Chunk, work: list[Row]) -> bool:
    """Go on with rows that a worker left behind. A row at which workers died three times is quarantined.

    What a cancelled batch has in doubt, and is not at the bank, may still come: it is unknown, until `check_open` ends it.
    """

    def may_send() -> bool:
        if not chunk.holds():
            raise LeaseLost
        return batch.status == PayoutBatch.Status.RUNNING

    for row in work:
        if chunk.begin_row(row.line) > MOST_ATTEMPTS:
            log.error("Line %s of batch %s is quarantined", row.line, batch.public_id)
            result: Result | None = Result(row, batch.round, Status.QUARANTINED, reason="Workers died of this row")
        else:
            try:
                result = send_row(batch, row, batch.round, look_up=True, may_send=may_send)
            except BankUnavailable as error:
                if error.was_sent:  # unknown, so that one row which never gets through stops no other for ever
                    result = Result(row, batch.round, Status.PROCESSING, is_unknown=True)
                    settle(batch, [result], database.now(), chunk)
                _wait_for_the_bank(batch, error)
                return False
        if not result and batch.status == PayoutBatch.Status.CANCELLED:
            result = Result(row, batch.round, Status.PROCESSING, is_unknown=True)
        if result:
            batch = settle(batch, [result], database.now(), chunk)
        if _must_stop() or batch.status not in {PayoutBatch.Status.RUNNING, PayoutBatch.Status.CANCELLED}:
            return False
    return True


def send_row(
    batch: PayoutBatch, row: Row, round_: int, *, look_up: bool, may_send: Callable[[], bool] = lambda: True
) -> Result | None:
    """Pay one row in a round, or with `look_up` see first whether it was paid. None where it was not and may not be.

    Raises BankUnavailable where nothing happened.
    """
    id_ = payment_id(batch, row.line, round_)
    pix = PixOut(SendOrder(id_, row.value, pix_key=row.pix_key, payer_message=row.comment))
    try:
        with pace.acting_for(batch.company_id):
            answer = instructions.look_up(pix) if look_up else None
            if answer is None and may_send():
                answer = instructions.request(pix, timedelta(0) if look_up else None)
    except BankUnavailable:
        raise
    except BankError as error:
        log.warning("Line %s of batch %s is unknown: %s", row.line, batch.public_id, error)
        return Result(row, round_, Status.PROCESSING, is_unknown=True)
    return result_of(row, round_, answer) if answer else None


def result_of(row: Row, round_: int, answer: BankSent) -> Result:
    """The bank's answer about a row."""
    if answer.value != row.value:
        log.error("Line %s is of %s centavos, the bank says %s", row.line, row.value, answer.value)
        return Result(row, round_, Status.QUARANTINED, answer.end_to_end_id, reason="The bank has another value")
    if answer.status == SendStatus.DONE:
        return Result(row, round_, Status.CONFIRMED, answer.end_to_end_id)
    if answer.status == SendStatus.REFUSED:
        code = outcomes.error_code(answer.reason)
        return Result(row, round_, Status.FAILED, answer.end_to_end_id, code, answer.reason)
    return Result(row, round_, Status.PROCESSING, answer.end_to_end_id)
