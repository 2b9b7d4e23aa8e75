"""How often the bank is called: by all together, for one company, and not before it wants to be called again."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from payments.bank import pace
from payments.bank.port import Bank, BankUnavailable
from payments.models import Charge, Company
from payments.pix import ids
from payments.services import charges
from payments.services.errors import Unavailable
from tests.bank_process import BankProcess, eventually
from tests.payments import making
from tests.payments.bank.test_connector import is_unknown
from tests.topologies.topologies import Standalone
from woovi.ratelimit import local, store

Limit = Callable[..., None]


@pytest.fixture
def name() -> str:
    return f"https://bank.example {uuid.uuid4()}"


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Limit:
    def change(policy: str, number: int) -> None:
        now = store.current().defaults
        changed = replace(now[policy], limit=number, per=36_000, burst=0)
        monkeypatch.setattr(store._store, "_limits", store.Limits({**now, policy: changed}))

    return change


def sent(bank: str, calls: int) -> int:
    """How many of these calls are sent. Each as from another process, that remembers nothing of its own."""
    passed = 0
    for _ in range(calls):
        local.forget()
        try:
            pace.take_turn(bank)
            passed += 1
        except BankUnavailable:
            pass
    return passed


def test_all_processes_share_one_limit(name: str, limit: Limit) -> None:
    limit(pace.CALLS, 7)
    assert sent(name, 10) == 7
    assert sent(f"{name} two", 3) == 3, "another bank has its own"


def test_one_company_does_not_use_up_what_all_share(name: str, limit: Limit) -> None:
    limit(pace.COMPANY, 4)
    with pace.acting_for(1):
        assert sent(name, 6) == 4
    with pace.acting_for(2):
        assert sent(name, 3) == 3
    assert sent(name, 6) == 6, "sweeps are no company's"


@pytest.mark.parametrize("wait", ["30", " 30 ", "date"])
def test_a_banks_retry_after_stops_every_process_at_once(name: str, wait: str) -> None:
    now = datetime.now(UTC)
    if wait == "date":
        wait = (now + timedelta(seconds=30.5)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert sent(name, 3) == 3  # the negative control
    pace.told(name, wait, now)
    assert sent(name, 3) == 0
    with pytest.raises(BankUnavailable, match=r"not sent because of bank.calls; again in (29|30) s"):
        pace.take_turn(name)
    assert sent(f"{name} two", 1) == 1


@pytest.mark.parametrize(
    "wait",
    [
        "", "soon", "-5", "0", "Mon, 02 Mar 2026 17:28:51 GMT", "１０", "1e3", "nan", "30, 30", "2099-03-02T17:28:51Z",
        "1 Jan 10000000000 0:0:0", "1 Jan 2099 00:00:00 +99999999999999", "Mon, 01 Jan 99999 00:00:00 GMT",
        "Mon, 01 Jan 0001 00:00:00 +2359",
    ],
)  # fmt: skip
def test_what_says_no_time_stops_nobody(name: str, wait: str) -> None:
    pace.told(name, wait, datetime(2026, 3, 2, 17, 30, tzinfo=UTC))
    assert sent(name, 1) == 1


def test_a_shorter_wait_does_not_end_a_longer_one_and_none_is_endless(name: str) -> None:
    pace.told(name, "9" * 30)
    pace.told(name, "1")
    local.forget()
    with pytest.raises(BankUnavailable, match=r"again in 3(600|599) s"):
        pace.take_turn(name)


def test_without_redis_who_was_told_obeys_and_others_go_on(name: str, valkey: Standalone) -> None:
    valkey.servers[0].kill()
    assert sent(name, 3) == 3
    pace.told(name, "30")
    with pytest.raises(BankUnavailable):
        pace.take_turn(name)
    assert sent(name, 1) == 1, "a process that nobody told"


@pytest.mark.django_db
def test_the_banks_429_is_obeyed_and_then_over(connected: Bank, bank_process: BankProcess) -> None:
    txid = ids.new_txid()
    assert is_unknown(connected, txid)  # and there is a token
    bank_process.faults(too_many_percent=100)
    with pytest.raises(BankUnavailable, match="LimiteDeRequisicoes"):
        connected.read_charge(txid)
    bank_process.faults()
    local.forget()
    with pytest.raises(BankUnavailable, match="not sent"):
        connected.read_charge(txid)
    eventually(lambda: is_unknown(connected, txid))


def create(company: Company, correlation_id: str) -> Charge:
    return charges.create(company, charges.ChargeRequest(correlation_id=correlation_id, value=100))


@pytest.mark.django_db(transaction=True)
def test_a_charge_is_registered_in_its_companys_name(bank_process: BankProcess, limit: Limit) -> None:
    company, other = making.company(), making.company()
    create(company, "first")
    limit(pace.COMPANY, 2)  # as many as another company's first charge takes
    assert create(company, "second")
    assert create(company, "third")
    with pytest.raises(Unavailable):
        create(company, "fourth")
    assert create(other, "first")
    assert Charge.objects.filter(company=other, registered_at__isnull=False).count() == 1
