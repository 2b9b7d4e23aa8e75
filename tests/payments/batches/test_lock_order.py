"""Whoever needs a limit's period and a ledger account takes them in this order, also at the end of a cancelled batch."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from payments.models import Company, Payment, PayoutBatch, TransferPeriod, User
from payments.services import batches, transfer_limits
from payments.services.batches import leases, rows
from payments.services.batches.settling import Result, settle
from tests.payments.batches.conftest import csv_of, money
from tests.processes import wait_until
from woovi.threads import gives_back

Make = Callable[[str], PayoutBatch]
_WAITS_FOR_ME = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"


def somebody_waits_for_me() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_WAITS_FOR_ME)
        return bool(cursor.fetchone()[0])


def begun(batch: PayoutBatch, count: int) -> Callable[[], PayoutBatch]:
    """A worker that has paid the first `count` rows of the batch's chunk, and books them as the chunk's end."""
    chunk = leases.claim(batch.pk)
    assert chunk
    paid = [Result(row, batch.round, Payment.Status.CONFIRMED) for row in islice(rows.left(batch, chunk), count)]
    return lambda: settle(batch, paid, timezone.now(), chunk, last=True)


def test_the_end_of_a_cancelled_batch_and_an_approval_do_not_deadlock(
    shop: Company, uploaded: Make, approved: Make, checker: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The approval has the period and wants the account, while the other ends: it pays a row and releases three."""
    book = begun(batch := approved(csv_of(4)), 1)
    batches.cancel(batch)
    other = batches.submit(uploaded(csv_of(2, first=10)))
    taken, ended = transfer_limits.take, Future[PayoutBatch]()
    with ThreadPoolExecutor(1) as pool:

        def take(*args: object) -> None:
            nonlocal ended
            taken(*args)  # type: ignore[arg-type]
            ended = pool.submit(gives_back(book))
            wait_until(somebody_waits_for_me)

        monkeypatch.setattr(transfer_limits, "take", take)
        batches.approve(other, checker, other.signature)
        assert ended.result(60).reserved == 0
    assert money(shop) == (999_400, 200)
    assert TransferPeriod.objects.get().used == 300


def test_a_batch_that_is_paid_takes_no_period(shop: Company, approved: Make) -> None:
    """It would make all settlements of a company take turns with its approvals, and cost a statement each."""
    book = begun(approved(csv_of(4)), 4)
    with CaptureQueriesContext(connection) as asked:
        assert book().status == "DONE"
    assert asked.captured_queries
    assert [query["sql"] for query in asked if "transferperiod" in query["sql"]] == []
