"""The stream: what Redis keeps of a log, and what it refuses."""

from __future__ import annotations

import pytest
from redis.exceptions import ResponseError

from tests.topologies.fixtures import on_valkey
from tests.woovi.pubsub.conftest import TENANT, publish, write
from woovi.outbox.models import OutboxEvent
from woovi.outbox.relay import Relay
from woovi.pubsub import carry, log, stream
from woovi.pubsub.stream import Entry
from woovi.redis import client

KEY, EPOCH = stream.keys(TENANT)


def entries(*numbers: int) -> list[Entry]:
    return [Entry(number, b"%d" % number) for number in numbers]


def kept() -> list[int]:
    return [int(name.split(b"-")[0]) for name, _ in client("channels").xrange(KEY)]


def epoch() -> bytes | None:
    return client("channels").get(EPOCH)  # type: ignore[return-value]


def test_what_is_given_twice_or_late_is_there_once_and_in_order() -> None:
    assert stream.append(TENANT, entries(1, 2, 3)) == 3
    assert stream.append(TENANT, entries(1, 2, 3)) == 3
    assert stream.append(TENANT, entries(2)) == 3
    assert stream.append(TENANT, entries(3, 4)) == 4
    assert kept() == [1, 2, 3, 4]
    with pytest.raises(ResponseError, match="equal or smaller"):
        client("channels").xadd(KEY, {"e": "late"}, id="2-0")


def test_what_would_leave_a_gap_is_not_taken() -> None:
    stream.append(TENANT, entries(1, 2))
    assert stream.append(TENANT, entries(4, 5)) == 2
    assert kept() == [1, 2]


def test_is_bounded_in_length_and_time() -> None:
    last = 3 * stream.KEEP
    for first in range(1, last, 500):
        stream.append(TENANT, entries(*range(first, first + 500)))
    assert stream.KEEP <= len(kept()) <= stream.KEEP + 200, "Redis cuts whole nodes of the stream"
    assert kept()[-1] == last
    for key in (KEY, EPOCH):
        assert 0 < client("channels").pttl(key) <= stream.TTL


def test_a_new_epoch_begins_where_redis_was_emptied() -> None:
    stream.append(TENANT, entries(1))
    first = epoch()
    stream.append(TENANT, entries(2))
    assert epoch() == first
    client("channels").delete(KEY, EPOCH)
    assert stream.append(TENANT, entries(3)) == 3
    assert epoch() not in {first, None}
    assert kept() == [3]


@on_valkey
def test_relays_that_overtake_each_other_leave_a_whole_stream(log: None) -> None:
    batches: list[list[OutboxEvent]] = []
    write(9)
    slow = Relay({"": batches.append}, batch=3)
    while slow.once():
        pass
    for batch in (batches[0], batches[2], batches[1], batches[2]):
        carry(batch)
    assert kept() == list(range(1, 10))


def test_what_redis_lost_is_filled_by_the_next_event(log: None) -> None:
    publish(5)
    stream.append(TENANT, _log_of(TENANT)[:3], anew=True)  # as a failover loses what was acknowledged last
    publish()
    assert kept() == [1, 2, 3, 4, 5, 6]


@on_valkey
def test_after_a_long_absence_the_stream_begins_anew_with_the_latest(
    log: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("woovi.pubsub.carrier.KEEP", 10)
    publish(3)
    write(40)
    Relay({}).once()  # numbered, and never carried
    publish()
    assert kept() == list(range(35, 45))


@on_valkey
def test_after_postgresql_was_restored_the_stream_follows_it(log: None) -> None:
    publish(8)
    before = epoch()
    OutboxEvent.objects.filter(seq__gt=5).delete()
    publish()
    assert kept() == [6]
    assert epoch() != before


@on_valkey
def test_a_frame_tells_the_event_and_its_number(log: None) -> None:
    publish(2, topic="OPENPIX:CHARGE_CREATED")
    event = OutboxEvent.objects.get(seq=2)
    assert [each.seq for each in _log_of(TENANT)] == [1, 2]
    assert (
        b'"seq":2,"id":"%s","topic":"OPENPIX:CHARGE_CREATED"' % str(event.event_id).encode() in _log_of(TENANT)[1].frame
    )
    assert client("channels").xrange(KEY)[1][1] == {b"e": _log_of(TENANT)[1].frame}


def _log_of(tenant: str) -> list[Entry]:
    return log.from_postgresql(tenant, 0)
