"""200 charges paid by 8 payers at once while web, worker and relay are killed at random: each is credited once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.faults import storm
from woovi.local import running

# A try that died with its worker is taken up again when its lease ends: a merchant's longest time and some seconds.
PATIENCE = {"WEBHOOK_TIMEOUT": "5"}
CALM_BANK = {"latency_ms": 0, "latency_spread_ms": 0, "callback_reorder_percent": 30, "callback_delay_ms": 300}

# The guard is the uniqueness of the Pix's end-to-end id and of the ledger's key. These make every key another one.
GUARDS_OFF = """
CREATE FUNCTION unguarded_pix() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.end_to_end_id := left(md5(random()::text), 32); RETURN NEW; END $$;
CREATE TRIGGER unguarded BEFORE INSERT ON payments_receivedpix FOR EACH ROW EXECUTE FUNCTION unguarded_pix();
CREATE FUNCTION unguarded_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.correlation_id := NEW.correlation_id || random()::text; RETURN NEW; END $$;
CREATE TRIGGER unguarded BEFORE INSERT ON payments_ledgertransaction FOR EACH ROW EXECUTE FUNCTION unguarded_key();
"""


@pytest.fixture(scope="module")
def system() -> Iterator[running.System]:
    with tempfile.TemporaryDirectory(prefix="woovi-storm-") as folder:
        Path(folder).chmod(0o711)
        with running.started(Path(folder), PORT="18000", **PATIENCE) as system:
            httpx.put(f"{system['bank']}/sim/faults", json=CALM_BANK).raise_for_status()
            yield system


@pytest.fixture(scope="module")
def inbox(system: running.System) -> Iterator[storm.Inbox]:
    with storm.listening() as inbox:
        storm.register(system, inbox)
        yield inbox


@pytest.fixture(scope="module")
def charges() -> dict[str, str]:
    """All of this system's, which the second test adds to."""
    return {}


def test_every_charge_is_credited_once(system: running.System, inbox: storm.Inbox, charges: dict[str, str]) -> None:
    charges |= (paid := storm.create_charges(system, 200))
    storm.blow(system, paid, seconds=10, kinds=storm.KILLED)
    assert storm.problems(system, inbox, charges) == []
    checked = system.manage("check_ledger")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_without_the_uniqueness_guard_it_is_not(
    system: running.System, inbox: storm.Inbox, charges: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same storm, smaller, with the guard off: the test above can fail."""
    monkeypatch.setattr(storm, "SETTLE_SECONDS", 5.0)
    with psycopg.connect(storm.database(system), autocommit=True) as db:
        db.execute(GUARDS_OFF)
    charges |= (paid := storm.create_charges(system, 40, name="unguarded-"))
    storm.blow(system, paid, seconds=2)
    assert any(problem.startswith("Pix booked") for problem in storm.problems(system, inbox, charges))
