"""Periodic jobs are queued once however many processes look, late rather than never, and again after a crash."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from tests.processes import wait_until
from woovi import outbox, queue
from woovi.queue import periodic
from woovi.queue.models import PeriodicJob
from woovi.queue.periodic import LEASE, Daily, Every, Timetable
from woovi.threads import gives_back

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SCHEDULE = {"sweep": Every(2, expires=10), "night": Daily(6, 30)}
DUE = NOW + timedelta(seconds=2)


class Broker:
    """What was queued, in place of a broker that may be away."""

    def __init__(self) -> None:
        self.got: list[tuple[str, float | None]] = []
        self.away = False

    def send(self, messages: list[tuple[str, dict[str, object]]], expires: float | None = None) -> None:
        if self.away:
            raise outbox.Unavailable("away")
        self.got += [(name, expires) for name, _ in messages]


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    made = Broker()
    monkeypatch.setattr(queue, "send", made.send)
    return made


@pytest.fixture
def timetable(broker: Broker) -> Timetable:
    made = Timetable(SCHEDULE)
    made.prepare(NOW)
    return made


def due(name: str = "sweep") -> datetime:
    return PeriodicJob.objects.get(name=name).due_at


def test_a_job_is_queued_when_it_is_due_and_not_before(timetable: Timetable, broker: Broker) -> None:
    assert timetable.once(NOW + timedelta(seconds=1)) == []
    assert timetable.once(DUE) == ["sweep"]
    assert timetable.once(DUE) == []
    assert broker.got == [("sweep", 10)]
    assert due() == DUE + timedelta(seconds=2)


def look_at_once(timetable: Timetable, processes: int = 8) -> None:
    barrier = threading.Barrier(processes)

    def look() -> None:
        barrier.wait()
        Timetable(timetable.schedule).once(DUE)

    threads = [threading.Thread(target=gives_back(look)) for _ in range(processes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)


def test_eight_that_look_at_once_queue_it_once(timetable: Timetable, broker: Broker) -> None:
    look_at_once(timetable)
    assert [name for name, _ in broker.got] == ["sweep"]


def test_control_without_the_lease_all_of_them_queue_it(
    timetable: Timetable, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(periodic, "LEASE", timedelta(seconds=-1))
    both = threading.Barrier(2)
    monkeypatch.setattr(queue, "send", lambda messages, expires: (both.wait(20), broker.send(messages, expires)))
    look_at_once(timetable, processes=2)
    assert len(broker.got) == 2


def test_what_a_crashed_process_leased_is_queued_by_another(timetable: Timetable, broker: Broker) -> None:
    PeriodicJob.objects.filter(name="sweep").update(leased_until=DUE + LEASE)  # it died before it sent
    assert timetable.once(DUE) == []
    assert timetable.once(DUE + LEASE + timedelta(seconds=1)) == ["sweep"]


def test_without_the_broker_it_stays_due(timetable: Timetable, broker: Broker) -> None:
    broker.away = True
    assert timetable.once(DUE) == []
    assert due() == DUE
    broker.away = False
    assert timetable.once(DUE + timedelta(seconds=1)) == ["sweep"]


def test_a_night_that_was_slept_through_is_caught_up_once_and_logged(
    timetable: Timetable, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    morning = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)
    assert timetable.once(morning) == ["night", "sweep"]
    assert due("night") == datetime(2026, 3, 6, 6, 30, tzinfo=UTC)
    assert "night was due at 2026-03-03 06:30" in caplog.text
    assert "sweep" not in caplog.text


def names() -> set[str]:
    return set(PeriodicJob.objects.values_list("name", flat=True))


def test_jobs_come_at_once_and_go_after_a_week(timetable: Timetable) -> None:
    first = due()
    later = Timetable({"sweep": Every(2, expires=10), "new": Every(5, expires=5)})
    later.prepare(NOW + timedelta(hours=1))
    assert names() == {"sweep", "night", "new"}, "another version's job stays"
    assert due() == first
    later.prepare(NOW + timedelta(days=9))
    assert names() == {"sweep", "new"}


def test_a_changed_schedule_brings_a_job_forward(timetable: Timetable) -> None:
    Timetable({"night": Every(5, expires=5)}).prepare(NOW)
    assert due("night") == NOW + timedelta(seconds=5)


def test_a_time_that_is_too_late_is_brought_forward(timetable: Timetable) -> None:
    PeriodicJob.objects.filter(name="sweep").update(due_at=NOW + timedelta(hours=1))
    timetable.prepare(NOW)
    assert due() == NOW + timedelta(seconds=2)


def test_the_clock_is_postgresqls(timetable: Timetable, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process whose clock is an hour ahead neither queues early nor moves the next time away."""
    PeriodicJob.objects.filter(name="sweep").update(due_at=timezone.now() + timedelta(minutes=30))
    monkeypatch.setattr(timezone, "now", lambda: datetime.now(UTC) + timedelta(hours=1))
    assert timetable.once() == ["night"]
    assert due("night") < datetime.now(UTC) + timedelta(days=1)


def test_an_error_does_not_end_it(
    timetable: Timetable, broker: Broker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: Timetable, now: datetime | None = None) -> list[str]:
        timetable.stop()
        raise ValueError("a fault of ours")

    monkeypatch.setattr(Timetable, "once", broken)
    timetable.run()
    assert "the periodic jobs failed" in caplog.text


def test_it_outlives_a_lost_connection_to_postgresql(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    timetable = Timetable({"sweep": Every(0, expires=10)})

    def cut(messages: list[tuple[str, dict[str, object]]], expires: float | None = None) -> None:
        broker.send(messages, expires)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queue, "send", cut)
        thread = threading.Thread(target=gives_back(timetable.run))
        thread.start()
        wait_until(lambda: "PostgreSQL is away" in caplog.text)
        timetable.stop()
        thread.join(20)
    assert not thread.is_alive()
    assert timetable.once(timezone.now() + LEASE * 2) == ["sweep"]


@pytest.mark.parametrize(
    ("at", "expected"),
    [("2026-03-02T06:29:59", "2026-03-02T06:30:00"), ("2026-03-02T06:30:00", "2026-03-03T06:30:00")],
)
def test_a_daily_job_is_due_at_its_minute(at: str, expected: str) -> None:
    assert Daily(6, 30).after(datetime.fromisoformat(f"{at}Z")) == datetime.fromisoformat(f"{expected}Z")
