"""The locks' timer calls what is due, whatever else raises. Here, because in locks/ each test runs on each topology."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

from tests.processes import wait_until
from tests.topologies.topologies import Standalone
from woovi.locks import Lock, names
from woovi.locks.names import Row
from woovi.locks.timer import Timer, timer


@pytest.mark.parametrize("error", [KeyError("lost"), SystemExit(1), KeyboardInterrupt(), GeneratorExit()])
def test_it_survives_anything_that_it_calls_raises(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    mine, done = Timer(), threading.Event()

    def fail() -> None:
        raise error

    mine.call(fail, 0)
    wait_until(lambda: "fail" in caplog.text)
    mine.call(done.set, 0)
    assert done.wait(30)


def test_what_is_sooner_comes_first_and_what_is_forgotten_never() -> None:
    mine, seen = Timer(), list[str]()
    acts = {name: (lambda name=name: seen.append(name)) for name in ("late", "forgotten", "soon")}
    mine.call(acts["late"], 0.2)
    mine.call(acts["forgotten"], 0.1)
    mine.call(acts["soon"], 0.05)
    mine.cancel(acts["forgotten"])
    wait_until(lambda: len(seen) == 2)
    assert seen == ["soon", "late"]


def test_ten_thousand_leases_of_a_storm_of_threads_and_it_still_renews(valkey: Standalone) -> None:
    """Each lease is to be renewed, and given back before, as, or after that is due."""
    numbers, errors = itertools.count(), list[BaseException]()

    def storm() -> None:
        try:
            while (number := next(numbers)) < 10_000:
                lock = Lock(("storm", number % 64), timeout=20, lease=0.05, max_hold=60).acquire()
                if number % 97 == 0:
                    time.sleep(0.03)  # longer than a third of the lease
                lock.release()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=storm) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    with Lock(("storm", 0), lease=0.3, max_hold=60) as lock, valkey.servers[0].ask() as client:
        began = time.monotonic()
        wait_until(lambda: time.monotonic() > began + 0.7)
        lock.check()
        assert client.exists(names.key(Row("storm", 0)))
    wait_until(lambda: not [act for act in timer._due if "extend" in repr(act)])  # nothing is left over
