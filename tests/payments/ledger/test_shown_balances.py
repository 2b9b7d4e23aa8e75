"""The balance that pages and the API show, while postings go on: right, or the database's, whatever Redis does."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections, transaction
from django.test import Client

from payments.models import Account, Company
from payments.selectors import balances
from payments.services import companies, ledger
from payments.services.ledger import InsufficientFunds, Line, Posting
from tests.payments.making import company as make_company
from tests.processes import a_session_waits_for_a_lock, wait_until
from tests.topologies.fixtures import on_valkey
from tests.topologies.topologies import Sentinels, Topology
from tests.woovi.cache.refusing import refusing
from woovi.cache import versioned
from woovi.outbox.models import OutboxEvent
from woovi.outbox.relay import Relay

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(topology: Topology) -> Company:
    return make_company()


def credit(shop: Company, key: object, value: int = 100) -> int:
    ids = ledger.accounts(shop.pk)
    lines = (Line(ids[Account.Kind.CLEARING], -value), Line(ids[Account.Kind.MERCHANT], value))
    return ledger.post(Posting(shop.pk, "test", str(key), lines))[0].transaction_id


def total(shop: Company) -> int:
    """As a page shows it, which reads its company anew."""
    return balances.balance(Company.objects.get(pk=shop.pk)).total


def reads() -> int:
    return balances.shown.counts.miss + balances.shown.counts.wait + balances.shown.counts.bypass


def test_a_posting_is_seen_at_once_and_read_from_the_database_once(shop: Company) -> None:
    assert total(shop) == 0
    credit(shop, 1)
    before = reads()
    assert [total(shop) for _ in range(5)] == [100] * 5
    assert reads() == before + 1
    with transaction.atomic():
        credit(shop, 2)
        assert total(shop) == 200  # one's own, uncommitted
        transaction.set_rollback(True)
    assert total(shop) == 100
    with pytest.raises(InsufficientFunds):
        credit(shop, 3, -500)
    assert total(shop) == 100


@on_valkey
def test_holds_are_shown_too(shop: Company) -> None:
    credit(shop, 1)
    merchant = ledger.accounts(shop.pk)[Account.Kind.MERCHANT]
    ledger.post(ledger.hold(shop.pk, "h", "hold", merchant, 30))
    shown = balances.balance(shop)
    assert (shown.total, shown.pending, shown.available) == (100, 30, 70)


@on_valkey
def test_the_api_shows_the_same(shop: Company) -> None:
    credit(shop, 1)
    _, app_id = companies.issue_application(shop, "test")
    (account,) = Client().get("/api/v1/account", headers={"Authorization": app_id}).json()["accounts"]
    assert account["balance"]["total"] == 100
    one = Client().get(f"/api/v1/account/{account['accountId']}", headers={"Authorization": app_id}).json()
    assert one["account"] == account


@on_valkey
def test_an_account_is_numbered_in_the_order_of_its_commits(shop: Company) -> None:
    """What the version stands on: no entry gets its id before its transaction has the account's lock."""
    merchant = ledger.accounts(shop.pk)[Account.Kind.MERCHANT]

    def last() -> int:
        found = Account.objects.get(pk=merchant).entries.order_by("-id").first()
        assert found
        return found.pk

    def later() -> int:
        try:
            return credit(shop, "later")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Account.objects.select_for_update(no_key=True).get(pk=merchant)
            posting = pool.submit(later)
            wait_until(a_session_waits_for_a_lock)
            credit(shop, "first")
            first = last()
        posting.result(20)
    assert last() > first


def test_redis_away_before_the_posting_leaves_a_doubt_and_an_event(shop: Company, topology: Topology) -> None:
    """The old balance is in its memory when it comes back, and nobody is shown it."""
    credit(shop, 1)
    assert total(shop) == 100
    with refusing(topology):
        credit(shop, 2)
        assert total(shop) == 200
    for _ in range(20):
        assert total(shop) == 200
    undoubting = Company.objects.get(pk=shop.pk)
    assert undoubting.balance_doubted_until
    event = OutboxEvent.objects.get(topic=versioned.TOPIC)
    assert (event.tenant, event.payload) == (str(shop.pk), {"cache": "balance", "pks": [shop.pk]})
    relay = Relay({"cache:": versioned.settle})

    def carried() -> bool:
        OutboxEvent.objects.filter(pk=event.pk).update(leased_until=None)
        relay.once()
        return OutboxEvent.objects.filter(pk=event.pk, relayed_at__isnull=False).exists()

    wait_until(carried)
    undoubting.balance_doubted_until = None  # as it will be when the time is over
    assert balances.balance(undoubting).total == 200


def test_without_the_doubt_the_old_balance_would_be_shown(shop: Company, topology: Topology) -> None:
    """The control."""
    credit(shop, 1)
    assert total(shop) == 100
    with refusing(topology):
        credit(shop, 2)
    assert balances.balance(shop).total == 100  # `shop` was read before: it carries no doubt


@pytest.mark.parametrize("fault", [pytest.param("freeze", marks=pytest.mark.in_time), "restart", "flush", "full"])
def test_balances_are_right_while_redis_fails_under_load(shop: Company, topology: Topology, fault: str) -> None:
    """Postings and readers go on; each reader is shown at least what was committed before it asked."""
    committed, stop = [0], threading.Event()
    took, errors = list[float](), list[BaseException]()

    def post() -> None:
        number = 0
        try:
            while not stop.is_set():
                number += 1
                credit(shop, f"load-{number}")
                committed[0] = number * 100
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    def read() -> None:
        try:
            while not stop.is_set():
                least, asked = committed[0], time.monotonic()
                shown = total(shop)
                assert shown >= least, (shown, least)
                took.append(time.monotonic() - asked)
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    def both_go_on() -> None:
        """Until five more postings and ten more readings: which of them a busy machine prefers is its own affair."""
        postings, readings = committed[0] + 500, len(took) + 10
        wait_until(lambda: (committed[0] >= postings and len(took) >= readings) or errors)

    with ThreadPoolExecutor(4) as pool:
        pool.submit(post)
        for _ in range(3):
            pool.submit(read)
        try:
            both_go_on()
            break_it(topology, fault)
            both_go_on()
        finally:
            stop.set()
    assert errors == []
    assert max(took) < 10  # a busy machine's, but no pile of time-outs
    assert total(shop) == committed[0] == Account.objects.get(company=shop, kind="MERCHANT").posted


def break_it(topology: Topology, fault: str) -> None:
    servers = topology.primaries()
    if fault == "freeze":
        for server in servers:
            server.freeze()
        time.sleep(1)  # how long the fault lasts, which is no waiting to be safe
        for server in servers:
            server.thaw()
    elif fault == "restart":
        if isinstance(topology, Sentinels):
            topology.failover()
        for server in topology.servers:
            server.kill()
        topology.heal()
    elif fault == "flush":
        for server in servers:
            with server.ask() as client:
                client.flushall()
    else:
        for server in servers:
            with server.ask() as client:
                client.config_set("maxmemory", 1)
        time.sleep(0.5)
        for server in servers:
            with server.ask() as client:
                client.config_set("maxmemory", 0)
