"""The worst case first, settled afterwards."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tests.topologies.topologies import Topology
from tests.woovi.ratelimit.conftest import ask
from woovi.ratelimit import Ask, RateLimited, local, reserve, take

HOUR = 3600
LOOKUP = ask(100, 36_000, cost=20)


def left(of: Ask) -> int:
    local.forget()
    return take(of._replace(cost=0)).remaining


def test_what_it_did_not_cost_comes_back_once(topology: Topology) -> None:
    with reserve(LOOKUP) as reserved:
        assert left(LOOKUP) == 80
        assert reserved.settle(1)
        assert left(LOOKUP) == 99
        assert not reserved.settle(1)
    assert left(LOOKUP) == 99


def test_the_twin(topology: Topology) -> None:
    async def run() -> list[bool]:
        async with reserve(LOOKUP) as reserved:
            return [await reserved.asettle(1), await reserved.asettle(1)]

    assert asyncio.run(run()) == [True, False]
    assert left(LOOKUP) == 99


def test_several_subjects_are_settled_together(topology: Topology) -> None:
    asks = [ask(100, 36_000, cost=20, who=f"user {number}") for number in range(4)]
    with reserve(*asks) as reserved:
        reserved.settle(0)
    assert [left(each) for each in asks] == [100] * 4


def test_who_dies_in_between_stays_charged(topology: Topology) -> None:
    with pytest.raises(ZeroDivisionError), reserve(LOOKUP):
        _ = 1 / 0
    assert left(LOOKUP) == 80


def test_what_does_not_fit_is_refused_and_settles_nothing(topology: Topology) -> None:
    refused = reserve(ask(10, HOUR, cost=11))
    with pytest.raises(RateLimited) as error, refused:
        raise AssertionError("let in")
    assert error.value.decision.violated
    assert not refused.settle(0)


def crowd(look_up: object) -> int:
    """Forty at once, all of which find nothing. How many were sent on."""
    barrier, sent, mutex = threading.Barrier(40), [0], threading.Lock()

    def one() -> None:
        barrier.wait()
        if look_up():  # type: ignore[operator]
            with mutex:
                sent[0] += 1

    threads = [threading.Thread(target=one) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sent[0]


def test_forty_at_once_send_five(topology: Topology) -> None:
    def look_up() -> bool:
        try:
            with reserve(LOOKUP) as reserved:
                reserved.settle(20)
        except RateLimited:
            return False
        return True

    assert crowd(look_up) == 5
    assert left(LOOKUP) == 0


def test_to_look_first_and_charge_afterwards_sends_more(topology: Topology) -> None:
    """The negative control: all of them look before one is charged."""
    looked = threading.Barrier(40)

    def look_up() -> bool:
        room = take(LOOKUP._replace(cost=0)).remaining >= 20
        looked.wait()
        return room and (take(LOOKUP) is not None)

    assert crowd(look_up) > 5
