"""What happened to locks is counted by hour, and added up over processes."""

from __future__ import annotations

import os

import pytest
from redis.exceptions import RedisError

from tests.processes import wait_until
from tests.topologies.fixtures import on_valkey
from tests.topologies.topologies import Topology
from tests.woovi.locks.others import A, B
from woovi import redis
from woovi.locks import Lock, metrics


@pytest.fixture(autouse=True)
def _from_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_hours", {})
    monkeypatch.setattr(metrics, "_unwritten", set())
    monkeypatch.setattr(metrics.timer, "call", lambda *_: None)  # no thread: the tests write


def at(monkeypatch: pytest.MonkeyPatch, hour: int) -> None:
    monkeypatch.setattr(metrics, "_hour", lambda: hour)


def as_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    name = os.urandom(4).hex()
    monkeypatch.setattr(metrics, "process", lambda: name)
    metrics._hours.clear()


def test_counts_of_processes_are_added_and_the_longest_is_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    for wait in (2.0, 5.0, 3.0):
        as_another_process(monkeypatch)
        metrics.add(["a.b"], taken=1, waited=wait, longest_wait=wait, held=wait, longest_hold=wait, stale=1)
        metrics.write()
        metrics.write()  # written again, nothing is added again
    counts, processes = metrics.everywhere()
    assert processes == 3
    right = {"taken": 3, "waited": 10.0, "longest_wait": 5.0, "held": 10.0, "longest_hold": 5.0, "stale": 3}
    assert counts == {"a.b": dict.fromkeys(metrics.WHAT, 0) | right}


def test_a_real_lock_is_counted() -> None:
    with Lock(A, B):
        pass
    metrics.write()
    counts, processes = metrics.everywhere()
    assert (counts["vault.account"]["taken"], processes) == (1, 1)
    assert counts["vault.account"]["held"] > 0


def test_a_day_is_kept_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    for hour in (1000, 1001, 1024):
        at(monkeypatch, hour)
        metrics.count(["a.b"], "lost")
        metrics.write()
    assert metrics.everywhere()[0]["a.b"]["lost"] == 2
    assert metrics.read()["a.b"]["lost"] == 2
    client = redis.client("locks")
    assert 0 < client.ttl("lk:counts:1024") <= 24 * 3600


@pytest.mark.in_time
def test_what_redis_forgot_or_did_not_hear_is_written_the_next_time(topology: Topology) -> None:
    metrics.count(["a.b"], "lost")
    for server in topology.servers:
        server.freeze()
    metrics.write()
    topology.heal()
    redis.close()
    wait_until(lambda: written() == 1)
    topology.heal()  # emptied
    metrics.count(["a.b"], "lost")
    wait_until(lambda: written() == 2)


def written() -> int:
    """What Redis has after it was written once more; on a busy machine Redis may not hear that either."""
    metrics.write()
    try:
        return int(metrics.everywhere()[0].get("a.b", {}).get("lost", 0))
    except RedisError:
        metrics._unwritten.update(metrics._hours)  # a primary may have gone with it, just after it was written
        return -1


@on_valkey
def test_a_forked_child_counts_from_zero() -> None:
    metrics.count(["a.b"], "lost")
    child = os.fork()
    if child == 0:
        os._exit(bool(metrics.read()))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert metrics.read()["a.b"]["lost"] == 1
