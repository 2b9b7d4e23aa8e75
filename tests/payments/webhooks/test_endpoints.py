"""Registering, listing and deleting endpoints."""

from __future__ import annotations

import json
from typing import Any

import pytest

from payments.models import Company, WebhookDelivery, WebhookEndpoint
from payments.services import companies, webhooks
from payments.services.errors import Invalid, NotFound
from payments.services.webhooks.signing import hmac_signature
from tests.receiver import Receiver
from woovi.outbox.models import OutboxEvent

pytestmark = pytest.mark.django_db


def test_creates_after_a_signed_test_post(company: Company, receiver: Receiver) -> None:
    endpoint = webhooks.create(company, name="Loja", url=receiver.url, authorization="Bearer 1")
    assert endpoint.event == "OPENPIX:TRANSACTION_RECEIVED"
    [test] = receiver.got
    body = json.loads(test.body)
    assert set(body) == {"data_criacao", "evento", "event"}
    assert (body["evento"], body["event"]) == ("teste_webhook", endpoint.event)
    assert test.headers["authorization"] == test.headers["x-openpix-authorization"] == "Bearer 1"
    assert test.headers["content-type"] == "application/json"
    assert test.headers["x-openpix-signature"] == hmac_signature(endpoint.secret, test.body)
    assert test.headers["x-webhook-signature"]


@pytest.mark.parametrize("answer", [404, 500, 302, "reset"])
def test_refuses_a_url_that_does_not_accept_the_test(company: Company, receiver: Receiver, answer: Any) -> None:
    receiver.answers = [receiver.reset if answer == "reset" else answer]
    with pytest.raises(Invalid) as refused:
        webhooks.create(company, name="Loja", url=receiver.url)
    assert refused.value.field == "url"
    assert not WebhookEndpoint.objects.exists()
    assert len(receiver.got) == 1, "a redirect is not followed"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", "ftp://example.com/"),
        ("url", "example.com"),
        ("url", "http://"),
        ("url", "http://[::1/"),
        ("url", "http://a b/"),
        ("url", "http://a:99999/"),
        ("url", "http://a\0b/"),
        ("url", "http://user:password@example.com/"),
        ("url", "http://127.0.0.1/" + "x" * 2000),
        ("event", "OPENPIX:NO_SUCH"),
        ("name", ""),
        ("name", "x" * 101),
        ("name", "a\0"),
        ("authorization", "a\r\nb: c"),
        ("authorization", "é"),
    ],
)
def test_refuses_nonsense_and_names_the_field(company: Company, field: str, value: str) -> None:
    arguments = {"name": "Loja", "url": "http://127.0.0.1:1/"} | {field: value}
    with pytest.raises(Invalid) as refused:
        webhooks.create(company, **arguments)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433"],
)
def test_refuses_our_own_network_in_production(company: Company, settings: Any, host: str) -> None:
    settings.WEBHOOK_ALLOW_PRIVATE = False
    with pytest.raises(Invalid, match="host"):
        webhooks.create(company, name="Loja", url=f"http://{host}/")


def test_a_company_has_at_most_a_hundred_endpoints(company: Company, receiver: Receiver) -> None:
    rows = {"company": company, "name": "x", "event": webhooks.DEFAULT_EVENT, "url": receiver.url, "secret": "s"}
    WebhookEndpoint.objects.bulk_create(WebhookEndpoint(**rows) for _ in range(100))
    with pytest.raises(Invalid, match="at most 100"):
        webhooks.create(company, name="Loja", url=receiver.url)
    assert not receiver.got, "nobody was called"
    webhooks.delete(company, WebhookEndpoint.objects.latest("id").public_id)
    webhooks.create(company, name="Loja", url=receiver.url)


def test_lists_and_deletes_only_the_companys_own(company: Company, receiver: Receiver) -> None:
    other = companies.onboard(official_name="B", trade_name="B", tax_id="2" * 14, pix_key="b@example.com")
    mine = webhooks.create(company, name="mine", url=receiver.url)
    second = webhooks.create(company, name="second", url=f"{receiver.url}?2")
    assert list(webhooks.listing(company)) == [second, mine]
    assert list(webhooks.listing(company, mine.url)) == [mine]
    assert not webhooks.listing(other)
    with pytest.raises(NotFound):
        webhooks.delete(other, mine.public_id)
    event = OutboxEvent.objects.create(topic=mine.event, tenant=str(company.pk), payload={})
    due = WebhookDelivery.objects.create(endpoint=mine, event=event)
    webhooks.delete(company, mine.public_id)
    assert list(webhooks.listing(company)) == [second]
    due.refresh_from_db()
    assert due.status == WebhookDelivery.Status.FAILED
    with pytest.raises(NotFound):
        webhooks.delete(company, mine.public_id)


def test_knows_every_event_once() -> None:
    known = (*webhooks.EVENTS, *webhooks.NEVER)
    assert len(set(known)) == len(known) == 28
    confirmed = "PIX_TRANSACTION_REFUND_SENT_CONFIRMED"
    assert webhooks.event_names(f"OPENPIX:{confirmed}") == (confirmed, "OPENPIX:TRANSACTION_REFUND_RECEIVED")
    assert webhooks.event_names("OPENPIX:CHARGE_CREATED") == ("OPENPIX:CHARGE_CREATED",)


@pytest.mark.parametrize("event", webhooks.NEVER)
def test_what_never_happens_is_not_promised(company: Company, event: str) -> None:
    with pytest.raises(Invalid, match=f"{event} never happens here") as refused:
        webhooks.create(company, name="Loja", url="http://127.0.0.1:1/", event=event)
    assert refused.value.field == "event"


def test_an_inactive_endpoint_is_listed_changed_and_deleted(company: Company, receiver: Receiver) -> None:
    quiet = webhooks.create(company, name="quiet", url=receiver.url, is_active=False)
    assert list(webhooks.listing(company)) == [quiet]
    assert not receiver.got, "it is not tested before it is active"

    webhooks.change(company, quiet.public_id, {"name": "Loja", "event": " OPENPIX:CHARGE_CREATED "})
    quiet.refresh_from_db()
    assert (quiet.name, quiet.event, quiet.is_active) == ("Loja", "OPENPIX:CHARGE_CREATED", False)
    assert not receiver.got

    webhooks.delete(company, quiet.public_id)
    assert not webhooks.listing(company)
    with pytest.raises(NotFound):
        webhooks.change(company, quiet.public_id, {"is_active": True})


def test_a_change_is_tested_where_it_leads_elsewhere(company: Company, receiver: Receiver) -> None:
    made = webhooks.create(company, name="Loja", url=receiver.url)
    webhooks.change(company, made.public_id, {"name": "Outra"})
    assert len(receiver.got) == 1, "it still leads to where it was tested"
    receiver.answers = [500]
    with pytest.raises(Invalid, match="url"):
        webhooks.change(company, made.public_id, {"url": f"{receiver.url}?2"})
    made.refresh_from_db()
    assert (made.name, made.url) == ("Outra", receiver.url)
    webhooks.change(company, made.public_id, {"url": f"{receiver.url}?2"})
    made.refresh_from_db()
    assert made.url == f"{receiver.url}?2"
    other = companies.onboard(official_name="B", trade_name="B", tax_id="2" * 14, pix_key="b@example.com")
    with pytest.raises(NotFound):
        webhooks.change(other, made.public_id, {"name": "Roubo"})


def test_switching_off_gives_up_what_is_due_and_switching_on_tests(company: Company, receiver: Receiver) -> None:
    made = webhooks.create(company, name="Loja", url=receiver.url)
    event = OutboxEvent.objects.create(topic=made.event, tenant=str(company.pk), payload={})
    due = WebhookDelivery.objects.create(endpoint=made, event=event)
    webhooks.change(company, made.public_id, {"is_active": False})
    due.refresh_from_db()
    assert due.status == WebhookDelivery.Status.FAILED
    receiver.answers = [500]
    with pytest.raises(Invalid, match="url"):
        webhooks.change(company, made.public_id, {"is_active": True})
    webhooks.change(company, made.public_id, {"is_active": True})
    made.refresh_from_db()
    assert made.is_active
    assert len(receiver.got) == 3
