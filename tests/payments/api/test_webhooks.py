"""A merchant's side of webhooks: registered by the API, told of everything that is offered, verified by the secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.utils import timezone

from payments import migrations
from payments.bank.port import BankReturn, ReturnStatus
from payments.models import BankCursor, Charge, Refund, WebhookDelivery, WebhookEndpoint
from payments.services import charges, payments
from payments.services.charges import receiving, returning
from payments.services.payments import PaymentOrder
from payments.services.webhooks import deliveries
from tests.bank_process import BankProcess
from tests.payments import making
from tests.payments.api.conftest import Merchant
from tests.receiver import Receiver, serve
from woovi.outbox.models import OutboxEvent

pytestmark = pytest.mark.django_db(transaction=True)
CUSTOMER = {"name": "Ana", "taxID": making.ANA}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with serve() as server:
        yield server


def register(shop: Merchant, receiver: Receiver, event: str, **more: Any) -> dict[str, Any]:
    asked = {"name": "Loja", "url": receiver.url, "event": event, **more}
    answer = shop.post("/api/v1/webhook", {"webhook": asked})
    assert answer.status_code == 200, answer.content
    return dict(answer.json()["webhook"])


def live_a_day(shop: Merchant) -> None:
    """A charge is created and paid by another than its customer, one refund is sent and one refused; a charge ends;
    of three payments one is paid, one fails, one is removed.
    """
    now = timezone.now()
    shop.post("/api/v1/charge", {"correlationID": "paid", "value": 1000, "customer": CUSTOMER})
    charge = Charge.objects.select_related("company").get(correlation_id="paid")
    receiving.receive(making.pix(charge, paid_at=now), now)
    for name, status in (("sent", ReturnStatus.DONE), ("refused", ReturnStatus.REFUSED)):
        shop.post("/api/v1/charge/paid/refund", {"correlationID": name, "value": 100})
        refund = Refund.objects.get(correlation_id=name)
        returning.resolve(refund.pk, BankReturn(refund.return_id, "", 100, status, "no"), now)
    for name, key in (("paid out", "ana@exemplo.com"), ("failed", "bank-error@woovi.com")):
        order = PaymentOrder(name, 100, pix_key=key)
        payments.send(payments.approve(shop.company, payments.create(shop.company, order).correlation_id).pk)
    payments.remove(payments.create(shop.company, PaymentOrder("removed", 100, pix_key="ana@exemplo.com")))
    making.charge(shop.company, correlation_id="over")
    BankCursor.objects.create(name=charges.CURSOR, read_until=making.NOW + timedelta(days=1))
    charges.expire_due(now)


def carry() -> None:
    """As the relay and the workers do."""
    deliveries.fan_out(list(OutboxEvent.objects.filter(topic__startswith="OPENPIX:").order_by("id")))
    for delivery in WebhookDelivery.objects.order_by("id"):
        assert deliveries.deliver(delivery.pk, 0) == WebhookDelivery.Status.DELIVERED


def test_everything_that_is_offered_happens_and_is_verified_by_its_secret(
    shop: Merchant, receiver: Receiver, bank: BankProcess
) -> None:
    offered = [each["name"] for each in shop.get("/api/v1/webhook/events").json()["events"]]
    secrets = {name: register(shop, receiver, name, authorization="tok")["hmacSecretKey"] for name in offered}
    receiver.got.clear()

    live_a_day(shop)
    carry()

    bodies = {}
    for got in receiver.got:
        body = json.loads(got.body)
        bodies[body["event"]] = body
        digest = hmac.digest(secrets[body["event"]].encode(), got.body, hashlib.sha1)
        assert base64.b64decode(got.headers["x-openpix-signature"]) == digest
        assert got.headers["authorization"] == got.headers["x-openpix-authorization"] == "tok"
    assert sorted(bodies) == sorted(offered), "nothing is offered that does not happen"
    for name in ("OPENPIX:CHARGE_COMPLETED", "OPENPIX:TRANSACTION_RECEIVED", "OPENPIX:TRANSACTION_REFUND_RECEIVED"):
        assert bodies[name]["pix"]["charge"]["correlationID"] == "paid", name
        assert bodies[name]["charge"]["correlationID"] == "paid", name
    completed = bodies["OPENPIX:CHARGE_COMPLETED"]
    assert completed["pix"]["charge"] == completed["charge"]
    assert bodies["PIX_TRANSACTION_REFUND_SENT_CONFIRMED"]["originalTransaction"]["charge"]["correlationID"] == "paid"


def test_a_loose_pix_has_no_charge(shop: Merchant, receiver: Receiver) -> None:
    register(shop, receiver, "OPENPIX:TRANSACTION_RECEIVED")
    receiving.receive(making.pix(pix_key=shop.company.pix_key))
    carry()
    body = json.loads(receiver.got[-1].body)
    assert body["charge"] is None
    assert "charge" not in body["pix"]


def test_the_secret_is_told_once(shop: Merchant, receiver: Receiver) -> None:
    made = register(shop, receiver, "")
    secret = WebhookEndpoint.objects.get().secret
    assert made["hmacSecretKey"] == secret
    changed = shop.send("PATCH", f"/api/v1/webhook/{made['id']}", {"webhook": {"name": "Outra"}})
    assert changed.json()["webhook"] == {
        **{name: value for name, value in made.items() if name != "hmacSecretKey"},
        "name": "Outra",
        "updatedAt": changed.json()["webhook"]["updatedAt"],
    }
    listed = shop.get("/api/v1/webhook")
    assert listed.json()["webhooks"] == [changed.json()["webhook"]]
    assert secret not in listed.content.decode()


def test_an_inactive_endpoint_is_listed_changed_and_deleted(
    shop: Merchant, rival: Merchant, receiver: Receiver
) -> None:
    made = register(shop, receiver, "", isActive=False)
    assert made["isActive"] is False
    assert not receiver.got
    assert [row["id"] for row in shop.get("/api/v1/webhook", url=receiver.url).json()["webhooks"]] == [made["id"]]
    path = f"/api/v1/webhook/{made['id']}"
    assert rival.send("PATCH", path, {"webhook": {"isActive": True}}).status_code == 400
    assert shop.send("PATCH", path, {"webhook": {"isActive": "yes"}}).status_code == 400
    assert shop.send("PATCH", path, {"webhook": {"isActive": True}}).json()["webhook"]["isActive"] is True
    assert len(receiver.got) == 1, "tested now that it is called"
    assert shop.delete(path).json() == {"status": "OK"}
    assert shop.get("/api/v1/webhook").json()["webhooks"] == []
    for answer in (shop.delete(path), shop.send("PATCH", path, {"webhook": {"isActive": True}})):
        assert (answer.status_code, answer.json()) == (400, {"error": "Webhook not found"})


def test_endpoints_that_were_deleted_before_they_had_a_column_stay_deleted(shop: Merchant) -> None:
    rows = {"company": shop.company, "name": "x", "event": "e", "url": "u", "secret": "s", "is_active": False}
    born = making.NOW
    quiet = WebhookEndpoint.objects.create(created_at=born, updated_at=born, **rows)
    deleted = WebhookEndpoint.objects.create(created_at=born, updated_at=born + timedelta(days=1), **rows)
    [migration] = Path(migrations.__file__).parent.glob("*_webhook_deleted_at.py")
    importlib.import_module(f"payments.migrations.{migration.stem}").mark_deleted(apps, None)
    quiet.refresh_from_db()
    deleted.refresh_from_db()
    assert (quiet.deleted_at, deleted.deleted_at) == (None, born + timedelta(days=1))
