"""The relay: every event reaches its handlers, whatever they do, and no two relays hold one at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from django.db import IntegrityError, connection, transaction

from tests.processes import a_session_waits_for_a_lock, wait_until
from woovi import outbox
from woovi.outbox import claims
from woovi.outbox.models import OutboxEvent
from woovi.outbox.relay import Relay

pytestmark = pytest.mark.django_db(transaction=True)


def write(*topics: str, tenant: str = "1") -> list[int]:
    with transaction.atomic():
        return [event.id for event in outbox.write_many((topic, tenant, {}) for topic in topics)]


def make_due() -> None:
    OutboxEvent.objects.filter(relayed_at=None).update(leased_until="2020-01-01T00:00:00Z")


def seconds_to_wait(event: OutboxEvent) -> float:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM leased_until - now())::float FROM outbox_outboxevent WHERE id = %s", [event.id]
        )
        return float(cursor.fetchone()[0])


class Recorder:
    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def __call__(self, events: list[OutboxEvent]) -> None:
        self.batches.append([event.topic for event in events])


def test_carries_to_every_handler_whose_prefix_matches_in_order() -> None:
    every, tasks = Recorder(), Recorder()
    write("task:b", "x", "task:a")
    relay = Relay({"": every, "task:": tasks})
    assert relay.once() == 3
    assert every.batches == [["task:b", "x", "task:a"]]
    assert tasks.batches == [["task:b", "task:a"]]
    assert not OutboxEvent.objects.filter(relayed_at=None).exists()
    assert relay.once() == 0


def test_one_bad_event_keeps_no_other_and_is_never_dropped() -> None:
    carried: list[str] = []

    def handler(events: list[OutboxEvent]) -> None:
        if any(event.topic == "bad" for event in events):
            raise ValueError("cannot read this")
        carried.extend(event.topic for event in events)

    relay = Relay({"": handler})
    write("a", "bad", "b")
    relay.once()
    assert carried == ["a", "b"]
    for attempts in range(1, 10):
        bad = OutboxEvent.objects.get(relayed_at=None)
        assert (bad.topic, bad.attempts) == ("bad", attempts)
        longest = min(30, 0.25 * 2**attempts)
        assert longest - 5 < seconds_to_wait(bad) <= longest
        if attempts > 6:
            assert relay.once() == 0, "it waits for its time"
        make_due()
        assert relay.once() == 1


def test_a_place_that_is_away_is_asked_once_a_batch_and_holds_no_other_handler_up() -> None:
    away, other = 0, Recorder()

    def handler(events: list[OutboxEvent]) -> None:
        nonlocal away
        away += 1
        raise outbox.Unavailable("gone")

    relay = Relay({"task:": handler, "x": other})
    write("task:a", "x", "task:b")
    relay.once()
    assert away == 1
    assert other.batches == [["x"]]
    assert OutboxEvent.objects.filter(relayed_at=None).count() == 2


def test_the_events_of_a_dead_relay_are_taken_over_when_its_lease_ends() -> None:
    ids = write("a", "b")
    assert [event.id for event in claims.claim(10, lease=60)] == ids  # and dies here
    recorder = Recorder()
    relay = Relay({"": recorder})
    assert relay.once() == 0
    make_due()
    relay.once()
    assert recorder.batches == [["a", "b"]]


def test_old_failures_and_a_stream_of_fresh_events_starve_each_other_never() -> None:
    write(*["old"] * 5)
    claims.claim(10, lease=60)
    make_due()
    write(*["new"] * 5)
    assert sorted(event.topic for event in claims.claim(2, lease=60)) == ["new", "new", "old", "old"]


def test_a_quick_look_leaves_what_is_far_behind_to_the_thorough_one() -> None:
    ids = write("far", "near")
    assert [event.id for event in claims.claim(10, lease=0, above=ids[0])] == ids[1:]
    assert claims.claim(10, lease=0, above=0)[0].id == ids[0]
    assert claims.claim(10, lease=0, above=0) == [], "what is due is for the thorough one"
    assert [event.id for event in claims.claim(10, lease=0)] == ids


def rival_claims() -> tuple[list[OutboxEvent], list[OutboxEvent]]:
    """Two relays claim at the same moment: the second starts while the first has not committed."""
    write(*["x"] * 6)
    second: list[OutboxEvent] = []

    def rival() -> None:
        try:
            second.extend(claims.claim(3, lease=60))
        except IntegrityError:
            second.append(OutboxEvent(seq=-1))
        finally:
            connection.close()

    thread = threading.Thread(target=rival)
    with transaction.atomic():
        first = claims.claim(3, lease=60)
        thread.start()
        wait_until(lambda: not thread.is_alive() or a_session_waits_for_a_lock())
    thread.join()
    return first, second


def test_two_relays_claim_different_events_and_number_them_in_turn() -> None:
    first, second = rival_claims()
    assert [event.seq for event in first] == [1, 2, 3]
    assert [event.seq for event in second] == [4, 5, 6]


def test_without_taking_turns_both_would_give_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "TURN", "SELECT 1")
    first, second = rival_claims()
    assert [event.seq for event in first] == [1, 2, 3]
    assert [event.seq for event in second] == [-1], "the database refuses a number that was given"


def test_without_a_lease_the_next_claim_takes_what_another_works_on() -> None:
    ids = write("x")
    assert [event.id for event in claims.claim(3, lease=60)] == ids
    assert claims.claim(3, lease=60) == []
    ids = write("x")
    assert [event.id for event in claims.claim(3, lease=0)] == ids
    assert [event.id for event in claims.claim(3, lease=0)] == ids


def test_carries_the_many_events_of_one_transaction() -> None:
    with transaction.atomic():
        outbox.write_many(("x", str(n % 50), {"n": n}) for n in range(2_000))
    all_of_them = Recorder()
    relay = Relay({"": all_of_them})
    while relay.once(above=relay.latest):
        pass
    assert sum(map(len, all_of_them.batches)) == 2_000
    assert not OutboxEvent.objects.filter(relayed_at=None).exists()


@pytest.fixture
def commits() -> Iterator[Callable[[], list[str]]]:
    """A function that lists the synchronous_commit of each update of an event, as a trigger in PostgreSQL saw it."""
    with connection.cursor() as cursor:
        cursor.execute("""
            CREATE TABLE seen_commits (id serial, setting text);
            CREATE FUNCTION see_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                INSERT INTO seen_commits (setting) VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER see_commit AFTER UPDATE ON outbox_outboxevent
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION see_commit();
        """)

    def seen() -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT setting FROM seen_commits ORDER BY id")
            return [setting for (setting,) in cursor.fetchall()]

    yield seen
    with connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION see_commit CASCADE; DROP TABLE seen_commits")


def fail(events: list[OutboxEvent]) -> None:
    raise outbox.Unavailable("away")


@pytest.mark.parametrize("handler", [lambda events: None, fail], ids=["relayed", "postponed"])
def test_a_claim_waits_for_the_disk_and_a_mark_does_not(
    commits: Callable[[], list[str]], handler: Callable[[list[OutboxEvent]], None]
) -> None:
    write("x")
    Relay({"": handler}).once()
    assert commits() == ["on", "off"]
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        assert cursor.fetchone() == ("on",), "the connection's later transactions wait again"
