"""Operators switch things off for everybody, at once and with a reason; the code obeys each switch, and each is on by default."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from payments.models import (
    Charge,
    Company,
    Payment,
    PayoutBatch,
    PayoutChunk,
    Switch,
    User,
    WebhookDelivery,
    WebhookEndpoint,
)
from payments.services import batches, companies, payments, switches
from payments.services.charges import ChargeRequest, create, receiving, refunds
from payments.services.errors import Invalid
from payments.services.payments import PaymentOrder
from payments.services.webhooks import deliveries, endpoints
from tests.bank_process import BankProcess
from tests.payments import making
from tests.payments.admin.test_admin import operator
from tests.payments.batches.conftest import BankInProcess, csv_of, quick_bank
from woovi.outbox.models import OutboxEvent

__all__ = ["operator", "quick_bank"]
pytestmark = pytest.mark.django_db(transaction=True)
HOME = "/admin/payments/switch/"


@pytest.fixture(autouse=True)
def looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process looks at the switches each time that it asks."""
    monkeypatch.setattr(switches, "known", switches._Known())
    monkeypatch.setattr(switches, "LOOK", 0.0)


@pytest.fixture
def shop() -> Company:
    made = making.company()
    receiving.receive(making.pix(pix_key=made.pix_key, value=100_000))
    return made


def test_a_process_reads_them_once_a_second(monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any) -> None:
    monkeypatch.setattr(switches, "LOOK", 3600.0)
    switches.known.looked = -3600.0
    with django_assert_num_queries(1):
        assert not any(switches.is_off(name) for name in Switch.Name)
    switches.throw(Switch.Name.PAYMENTS, True, "x")
    assert not switches.is_off("payments"), "not before it looks again"
    monkeypatch.setattr(switches, "LOOK", 0.0)
    assert switches.is_off("payments")
    assert switches._Known.looked < 0, "a new process looks at once"


def test_an_operator_throws_one_with_a_reason_and_the_log_has_both_values(operator: Client) -> None:
    page = operator.get(HOME).content.decode()
    assert all(f'name="name" value="{name}"' in page for name in Switch.Name)
    operator.post(HOME, {"name": "payments", "off": "1", "reason": ""})
    assert not switches.is_off("payments"), "not without a reason"
    told = operator.post(HOME, {"name": "payments", "off": "1", "reason": "fraud at the bank"}, follow=True)
    assert "ayments is off within two seconds" in told.content.decode()
    assert "fraud at the bank" in told.content.decode()
    assert switches.is_off("payments")
    operator.post(HOME, {"name": "payments", "off": "0", "reason": "it is over"})
    assert not switches.is_off("payments")
    assert [entry.change_message for entry in LogEntry.objects.order_by("pk")] == [
        "is_off: False → True. Reason: fraud at the bank",
        "is_off: True → False. Reason: it is over",
    ]


def test_who_has_not_the_right_throws_none(operator: Client) -> None:
    operator.force_login(User.objects.create_user("staff@example.com", is_staff=True))
    assert operator.get(HOME).status_code == 403
    assert operator.post(HOME, {"name": "payments", "off": "1", "reason": "x"}).status_code == 403
    assert not switches.is_off("payments")


@pytest.mark.parametrize("off", ["charges", "refunds", "payments", None])
def test_charges_refunds_and_payments_of_everybody(bank: BankProcess, shop: Company, off: str | None) -> None:
    now = timezone.now()
    charge = making.charge(shop, 10_000, created_at=now, expires_at=now + timedelta(hours=1))
    receiving.receive(making.pix(charge, paid_at=timezone.now()))
    paid = Charge.objects.get(pk=charge.pk)
    payments.create(shop, PaymentOrder("approved", 100, pix_key="ana@exemplo.com"))
    payments.approve(shop, "approved")
    waits = Payment.objects.get()
    if off:
        switches.throw(Switch.Name(off), True, "x")
    tries = {
        "charges": lambda: create(shop, ChargeRequest("c", 500)),
        "refunds": lambda: refunds.request(shop, paid, "r", 100),
        "payments": lambda: payments.create(shop, PaymentOrder("p", 100, pix_key="ana@exemplo.com")),
    }
    for kind, act in tries.items():
        if kind == off:
            with pytest.raises(Invalid, match=f"{kind.capitalize()} are switched off for now"):
                act()
        else:
            act()
    assert payments.send(waits.pk).status == ("APPROVED" if off == "payments" else "CONFIRMED")
    if off:
        switches.throw(Switch.Name(off), False, "x")
        tries[off]()
        assert payments.send(waits.pk).status == "CONFIRMED", "it goes out by itself"


def test_a_running_batch_sends_nothing_and_goes_on_by_itself(quick_bank: BankInProcess, shop: Company) -> None:
    maker, checker = (User.objects.create_user(f"{name}@example.com", company=shop) for name in ("maker", "checker"))
    batch = batches.submit(batches.upload(shop, maker, "folha.csv", io.BytesIO(csv_of(3).encode())))
    batches.approve(batch, checker, batch.signature)
    switches.throw(Switch.Name.PAYMENTS, True, "x")
    batches.pay(batch.pk)
    assert (quick_bank.calls, PayoutBatch.objects.get().status) == (0, "RUNNING")
    switches.throw(Switch.Name.PAYMENTS, False, "x")
    PayoutChunk.objects.update(leased_until=None)
    batches.pay(batch.pk)
    assert (quick_bank.calls, PayoutBatch.objects.get().status) == (3, "DONE")


class Merchant(BaseHTTPRequestHandler):
    """Accepts every webhook."""

    heard = 0

    def do_POST(self) -> None:
        type(self).heard += 1
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def url() -> Iterator[str]:
    Merchant.heard = 0
    server = HTTPServer(("127.0.0.1", 0), Merchant)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_no_webhook_is_sent_and_no_try_is_used_up(shop: Company, url: str) -> None:
    event = OutboxEvent.objects.filter(topic__startswith="OPENPIX:").latest("id")
    endpoint = WebhookEndpoint.objects.create(company=shop, name="shop", event=event.topic, url=url, secret="s")
    due = WebhookDelivery.objects.create(endpoint=endpoint, event=event, next_attempt_at=timezone.now())
    switches.throw(Switch.Name.WEBHOOKS, True, "x")
    assert (deliveries.deliver(due.pk, 0), deliveries.sweep(), deliveries.next_due(shop.pk)) == (None, 0, None)
    with pytest.raises(Invalid, match="Webhooks are switched off"):
        endpoints.send_test(shop, endpoint.public_id)
    due.refresh_from_db()
    assert (Merchant.heard, due.attempts, due.status) == (0, 0, "PENDING")
    switches.throw(Switch.Name.WEBHOOKS, False, "x")
    assert deliveries.next_due(shop.pk) == (due.pk, 0, endpoint.pk)
    assert (deliveries.deliver(due.pk, 0), Merchant.heard) == ("DELIVERED", 1)


def test_graphql_answers_nobody(shop: Company) -> None:
    key = companies.issue_application(shop, "shop")[1]

    def asked() -> Any:
        body = json.dumps({"query": "{ __typename }"})
        client = Client(headers={"Authorization": key, "Accept": "application/graphql-response+json"})
        return client.post("/graphql", body, content_type="application/json")

    assert asked().json()["data"] == {"__typename": "Query"}
    switches.throw(Switch.Name.GRAPHQL, True, "x")
    answer = asked()
    assert (answer.status_code, answer.json()["errors"][0]["message"]) == (400, "GraphQL is switched off for now")
    switches.throw(Switch.Name.GRAPHQL, False, "x")
    assert asked().status_code == 200
