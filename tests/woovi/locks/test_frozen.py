"""Processes and servers that stop without a word (SIGSTOP): everybody is served, or refused within its time-out."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from tests.processes import Process, wait_until
from tests.topologies.topologies import Sentinels
from tests.woovi.locks.conftest import Threads
from tests.woovi.locks.models import Account
from tests.woovi.locks.others import A, in_line
from woovi.locks import Lock, LockNotAvailable, LocksUnavailable

WAITERS = 12
TIMEOUT = 8.0  # seconds: Sentinels need two to three, and four more where votes were split and they elect again
SLACK = 5.0  # seconds: a busy machine, and calls to a server that does not answer
HOLDER = ("-m", "tests.woovi.locks.holder")


def stop(process: Process) -> None:
    process.popen.send_signal(signal.SIGSTOP)
    os.waitpid(process.popen.pid, os.WUNTRACED)


def take_thirty() -> None:
    with Account.objects.lock_for_update(pk=9, timeout=10) as locked:
        locked.row.balance -= 30
        locked.row.save()


def test_a_stopped_holder_costs_its_lease_and_writes_nothing(account: Account, threads: Threads) -> None:
    with Process(*HOLDER, "0.5") as holder:
        holder.wait_for("held")
        stop(holder)
        began = time.monotonic()
        for _ in range(2):
            threads.start(take_thirty)
        threads.join()
        assert time.monotonic() - began < 0.5 + SLACK
        holder.popen.send_signal(signal.SIGCONT)
        holder.popen.send_signal(signal.SIGTERM)
        holder.wait_for("stale")
    account.refresh_from_db()
    assert account.balance == 40


def test_control_one_that_runs_keeps_its_row_past_its_lease_and_writes(account: Account) -> None:
    with Process(*HOLDER, "0.5") as holder:
        holder.wait_for("held")
        with pytest.raises(LockNotAvailable), Account.objects.lock_for_update(pk=9, timeout=1.5):
            raise AssertionError
        holder.popen.send_signal(signal.SIGTERM)
        holder.wait_for("written")
    account.refresh_from_db()
    assert account.balance == 50


@pytest.fixture
def topology(sentinel: Sentinels) -> Sentinels:
    """For what follows; the tests above run on it too, and on no other: a stopped process is the same everywhere."""
    return sentinel


@pytest.mark.in_time
def test_a_stopped_primary_all_waiters_are_served_or_refused_in_time(topology: Sentinels, threads: Threads) -> None:
    served, refused, inside = list[float](), list[float](), threading.Semaphore()
    holding = Lock(A, lease=3).acquire()

    def wait() -> None:
        began = time.monotonic()
        while True:  # as every caller may: no answer for a moment is no refusal
            try:
                with Lock(A, timeout=TIMEOUT - (time.monotonic() - began)):
                    assert inside.acquire(blocking=False), "two are inside"
                    time.sleep(0.01)
                    inside.release()
                served.append(time.monotonic() - began)
            except LocksUnavailable:
                if time.monotonic() - began < TIMEOUT:
                    time.sleep(0.05)
                    continue
                refused.append(time.monotonic() - began)
            except LockNotAvailable:
                refused.append(time.monotonic() - began)
            return

    for _ in range(WAITERS):
        threads.start(wait)
    wait_until(lambda: in_line(topology) == WAITERS)
    frozen = topology.primary()
    frozen.freeze()
    threads.join(TIMEOUT * 2)
    frozen.thaw()
    holding.release()
    assert len(served) + len(refused) == WAITERS
    assert len(served) >= WAITERS / 2, "the new primary serves them"
    assert max(served + refused) < TIMEOUT + SLACK
    assert not Lock(A, timeout=5).acquire().release()
