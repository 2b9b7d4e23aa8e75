"""A real relay process, killed at every step; stopped; cut off from PostgreSQL."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

import pytest
from django.db import connection, transaction

from tests.processes import Process, wait_until
from woovi import outbox
from woovi.outbox.models import OutboxEvent

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    path = tmp_path / "record"
    path.touch()
    return path


def relay(record: Path, kill_at: str = "") -> Process:
    settings = "tests.faults.relay_settings"
    return Process(
        "manage.py",
        "relay",
        "--no-jobs",
        RECORD=str(record),
        KILL_AT=kill_at,
        DJANGO_SETTINGS_MODULE=settings,
        PGAPPNAME="relay",
    )


def write(count: int) -> set[str]:
    with transaction.atomic():
        return {str(event.event_id) for event in outbox.write_many(("x", "1", {"n": n}) for n in range(count))}


def all_relayed() -> bool:
    return not OutboxEvent.objects.filter(relayed_at=None).exists()


def end_leases() -> None:
    OutboxEvent.objects.filter(relayed_at=None).update(leased_until="2020-01-01T00:00:00Z")


@pytest.mark.parametrize("step", ["before handlers", "inside a handler", "between handlers", "before the mark"])
def test_killed_at_any_step_nothing_is_lost(record: Path, step: str) -> None:
    ids = write(10)
    with relay(record, kill_at=step) as first:
        wait_until(lambda: first.popen.poll() is not None)
        assert first.popen.returncode == -signal.SIGKILL
    assert OutboxEvent.objects.filter(relayed_at=None).count() == 10
    handled_before = len(record.read_text().splitlines())
    assert handled_before == {"before handlers": 0, "inside a handler": 5, "between handlers": 10}.get(step, 20)
    end_leases()
    with relay(record):
        wait_until(all_relayed)
    seen = Counter(record.read_text().splitlines())
    assert set(seen) == {f"{handler} {event_id}" for handler in ("first", "second") for event_id in ids}
    assert sum(seen.values()) == handled_before + 20, "again what the dead one had handled, under the same ids"


def test_two_relays_killed_in_turn_lose_nothing_of_a_stream(record: Path) -> None:
    ids: set[str] = set()
    for _ in range(3):
        with relay(record) as one, relay(record) as two:
            one.wait_for("waiting")
            two.wait_for("waiting")
            for _ in range(20):
                ids |= write(50)
    end_leases()
    with relay(record):
        wait_until(all_relayed)
    assert set(record.read_text().splitlines()) == {f"{h} {i}" for h in ("first", "second") for i in ids}


def test_sigterm_ends_it_after_the_batch(record: Path) -> None:
    hold = record.with_suffix(".hold")
    hold.touch()
    with relay(record) as process:
        process.wait_for("waiting")
        write(3)
        wait_until(lambda: len(record.read_text().splitlines()) == 6)
        process.popen.send_signal(signal.SIGTERM)
        hold.unlink()
        assert process.popen.wait(10) == 0
        assert "stopped" in process.log()
    assert all_relayed()


def test_goes_on_after_postgresql_dropped_its_connection(record: Path) -> None:
    with relay(record) as process:
        process.wait_for("waiting")
        write(1)
        wait_until(all_relayed)
        for _ in range(3):
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'relay'"
                )
                assert (True,) in cursor.fetchall()  # of one or two: the pool makes one anew for each that broke
            write(1)
            wait_until(all_relayed)
        assert process.popen.poll() is None
        assert "PostgreSQL is away" in process.log()
