"""Pages and the API while Redis is killed, frozen and full: balances are right, and nobody sees an error."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse

from payments.models import Account, Company, User
from payments.money import format_reais
from payments.services import companies, ledger
from payments.services.ledger import Line, Posting
from tests.payments import making
from tests.processes import wait_until
from tests.topologies.topologies import Standalone

pytestmark = pytest.mark.django_db(transaction=True)
VALUE = 100  # centavos of each posting
PATIENCE = 60  # seconds: here each time-out takes five, and a request meets four at most before the breakers open


class Load:
    """Postings that go on, and requests that look at the balance meanwhile."""

    def __init__(self, shop: Company) -> None:
        self.shop, self.posted, self.stop = shop, 0, threading.Event()
        self.user = User.objects.create_user("ana@example.com", company=shop)
        self.app_id = companies.issue_application(shop, "Test")[1]
        self.seen = 0

    def post(self) -> None:
        ids = ledger.accounts(self.shop.pk)
        try:
            while not self.stop.is_set():
                lines = (Line(ids[Account.Kind.CLEARING], -VALUE), Line(ids[Account.Kind.MERCHANT], VALUE))
                ledger.post(Posting(self.shop.pk, "test", f"load-{self.posted}", lines))
                self.posted += VALUE
                time.sleep(0.01)  # a busy shop, not a benchmark
        finally:
            connections.close_all()

    def look(self, ask: Callable[[], bytes], told: Callable[[int], bytes]) -> None:
        """Ask until the end. Each answer must show a balance that was right while it was asked for."""
        try:
            while not self.stop.is_set():
                least, began = self.posted, time.monotonic()
                body = ask()
                assert time.monotonic() - began < PATIENCE
                right = range(least, self.posted + 2 * VALUE, VALUE)
                assert any(told(value) in body for value in right), (least, self.posted, body[:2000])
                self.seen += 1
        finally:
            connections.close_all()

    def page(self) -> Callable[[], bytes]:
        client = Client(headers={"Accept-Language": "en"})
        client.force_login(self.user)
        return lambda: answered(client, reverse("web:dashboard"))

    def api(self) -> Callable[[], bytes]:
        client = Client(headers={"Authorization": self.app_id})
        return lambda: answered(client, "/api/v1/account")


def answered(client: Client, path: str) -> bytes:
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return answer.content


@pytest.mark.parametrize("fault", ["kill", "freeze", "full"])
def test_the_balance_is_right_and_there_is_no_error_page(valkey: Standalone, fault: str) -> None:
    load = Load(making.company())
    page, api = load.page(), load.api()  # logged in before the fault
    with ThreadPoolExecutor(3) as pool:
        at_work = [
            pool.submit(load.post),
            pool.submit(load.look, page, lambda value: format_reais(value).encode()),
            pool.submit(load.look, api, lambda value: b'"total": %d,' % value),
        ]

        def goes_on(more: int) -> None:
            seen = load.seen
            wait_until(lambda: load.seen >= seen + more or any(each.done() for each in at_work), 3 * PATIENCE)

        goes_on(4)
        break_it(valkey, fault)
        goes_on(6)
        mend(valkey, fault)
        goes_on(4)
        load.stop.set()
    for each in at_work:
        each.result()


def break_it(valkey: Standalone, fault: str) -> None:
    (server,) = valkey.servers
    if fault == "full":
        with server.ask() as client:
            client.config_set("maxmemory", 1)
    else:
        getattr(server, fault)()


def mend(valkey: Standalone, fault: str) -> None:
    (server,) = valkey.servers
    if fault == "full":
        with server.ask() as client:
            client.config_set("maxmemory", 0)
    elif fault == "freeze":
        server.thaw()
    else:
        valkey.heal()
