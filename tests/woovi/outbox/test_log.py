"""The log: a tenant's events have the numbers 1, 2, 3 ... in the order in which they committed."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator

import pytest
from django.db import connection, transaction

from woovi import outbox
from woovi.outbox import claims
from woovi.outbox.models import OutboxEvent
from woovi.outbox.relay import Relay

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS, EACH = 8, 60


def write(*topics: str, tenant: str = "1") -> None:
    with transaction.atomic():
        outbox.write_many((topic, tenant, {}) for topic in topics)


def numbers(tenant: str = "1") -> list[tuple[str, int | None]]:
    return list(OutboxEvent.objects.filter(tenant=tenant).order_by("id").values_list("topic", "seq"))


def test_each_tenant_counts_for_itself_and_instructions_are_not_counted() -> None:
    write("a", "task:x", "b")
    write("c", tenant="2")
    Relay({}).once()
    write("d", "cache:y")
    Relay({}).once()
    assert numbers() == [("a", 1), ("task:x", None), ("b", 2), ("d", 3), ("cache:y", None)]
    assert numbers("2") == [("c", 1)]


def test_an_event_keeps_its_number_however_often_it_is_carried() -> None:
    write("a", "b")
    claims.claim(10, lease=0)
    write("c")
    assert [event.seq for event in claims.claim(10, lease=0)] == [1, 2, 3]
    assert [event.seq for event in claims.claim(10, lease=0)] == [1, 2, 3]


def test_what_commits_late_gets_a_late_number() -> None:
    seen: list[int | None] = []

    def early_id() -> None:
        with transaction.atomic():
            outbox.write("late", "1", {})
            written.set()
            go.wait(20)
        connection.close()

    written, go = threading.Event(), threading.Event()
    thread = threading.Thread(target=early_id)
    thread.start()
    assert written.wait(20)
    write("quick")
    seen += [event.seq for event in claims.claim(10, lease=60)]
    go.set()
    thread.join()
    seen += [event.seq for event in claims.claim(10, lease=60)]
    assert seen == [1, 2]
    assert numbers() == [("late", 2), ("quick", 1)]


class Writers:
    """Eight at once, whose transactions last for random times, so that they commit out of the order of their ids."""

    def __init__(self) -> None:
        self.threads = [threading.Thread(target=self._write, args=(random.Random(n),)) for n in range(WRITERS)]

    def _write(self, dice: random.Random) -> None:
        pause = threading.Event()
        for _ in range(EACH):
            with transaction.atomic():
                outbox.write("x", "1", {})
                pause.wait(dice.random() * 0.01)
        connection.close()

    def __enter__(self) -> Writers:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self.threads:
            thread.join()

    def at_work(self) -> bool:
        return any(thread.is_alive() for thread in self.threads)


@pytest.fixture
def relays() -> Iterator[None]:
    """Two, which number while the writers write."""
    running = [Relay({}, batch=7), Relay({}, batch=7)]

    def run(relay: Relay) -> None:
        relay.run()
        connection.close()

    threads = [threading.Thread(target=run, args=(relay,)) for relay in running]
    for thread in threads:
        thread.start()
    yield
    for relay in running:
        relay.stop()
    for thread in threads:
        thread.join()


def read_by(column: str) -> list[int]:
    """Ids, as a reader sees them who asks for what is above the last `column` that it has seen, until all is quiet."""
    seen: list[int] = []
    last = 0
    with Writers() as writers:
        while True:
            working = writers.at_work() or OutboxEvent.objects.filter(seq=None).exists()
            rows = OutboxEvent.objects.filter(**{f"{column}__gt": last}).order_by(column).values_list(column, "id")
            for last, each in rows:  # noqa: B007 (the last one is where the next reading begins)
                seen.append(each)
            if not working:
                return seen


def test_a_reader_by_numbers_skips_nothing_while_eight_write(relays: None) -> None:
    seen = read_by("seq")
    assert len(seen) == len(set(seen)) == WRITERS * EACH
    assert seen != sorted(seen), "they did commit out of the order of their ids"
    assert [seq for _, seq in sorted(numbers(), key=lambda row: row[1] or 0)] == list(range(1, WRITERS * EACH + 1))


def test_a_reader_by_ids_would_skip_what_commits_late(relays: None) -> None:
    seen = read_by("id")
    assert len(seen) == len(set(seen)) < WRITERS * EACH
