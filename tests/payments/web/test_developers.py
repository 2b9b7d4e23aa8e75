"""The developers' pages: a webhook from its test call to a resent delivery, AppIDs without secrets; nothing of others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from payments.models import Application, Company, User, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from payments.services import companies
from payments.services.webhooks import deliveries
from tests.payments import making
from tests.payments.web.test_charges import text
from tests.receiver import Receiver, serve
from woovi import outbox, queue

EVENT = "OPENPIX:CHARGE_COMPLETED"
FORM = {"name": "Loja", "event": EVENT, "authorization": "Bearer 7"}


@pytest.fixture
def server() -> Iterator[Receiver]:
    with serve() as server:
        yield server


@pytest.fixture(autouse=True)
def hints(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    sent: list[Any] = []
    monkeypatch.setattr(queue, "send", sent.extend)
    return sent


def endpoint(company: Company, url: str = "https://shop.example/hook", **fields: Any) -> WebhookEndpoint:
    return WebhookEndpoint.objects.create(
        company=company, name="Loja", event=EVENT, url=url, secret="s3cr3t", authorization="Bearer 7", **fields
    )


def delivery(to: WebhookEndpoint, status: str = "FAILED", attempts: int = 8) -> WebhookDelivery:
    event = outbox.write(EVENT, str(to.company_id), {"event": EVENT, "charge": {"value": 1990}})
    return WebhookDelivery.objects.create(endpoint=to, event=event, status=status, attempts=attempts)


def test_a_webhook_is_created_after_a_test_call_and_its_key_is_shown_once(
    merchant: Client, company: Company, server: Receiver
) -> None:
    assert "No webhooks yet" in text(merchant, "/developers")
    answer = merchant.post("/developers/webhooks/new", {**FORM, "url": server.url})
    made = WebhookEndpoint.objects.get()
    assert (made.company, made.name, made.event, made.url, made.is_active) == (company, "Loja", EVENT, server.url, True)
    assert [got.headers["authorization"] for got in server.got] == ["Bearer 7"]
    assert made.secret in answer.content.decode()
    for path in ("/developers", f"/developers/webhooks/{made.public_id}"):
        page = text(merchant, path)
        assert server.url in page
        assert made.secret not in page
        assert "Bearer 7" not in page


def test_what_is_wrong_stands_at_its_field_and_nothing_is_made(merchant: Client, server: Receiver) -> None:
    server.answers = [500]
    for changes, field, told in (
        ({"url": server.url}, "url", "did not accept the test call: HTTP 500"),
        ({"url": "ftp://a"}, "url", "cannot be called"),
        ({"url": server.url, "name": ""}, "name", "required"),
        ({"url": server.url, "event": "NOPE"}, "event", "valid choice"),
        ({"url": server.url, "authorization": "é"}, "authorization", "ASCII"),
    ):
        answer = merchant.post("/developers/webhooks/new", {**FORM, **changes})
        assert answer.status_code == 422
        assert told in answer.content.decode().split(f'id="id_{field}_error"')[1].split("</p>")[0]
    assert not WebhookEndpoint.objects.exists()


def act(merchant: Client, made: WebhookEndpoint, action: str) -> str:
    answer = merchant.post(f"/developers/webhooks/{made.public_id}/{action}", follow=True)
    assert answer.status_code == 200
    made.refresh_from_db()
    return answer.content.decode()


def test_it_is_tested_paused_activated_and_deleted(merchant: Client, company: Company, server: Receiver) -> None:
    made = endpoint(company, server.url)
    waiting = delivery(made, "PENDING", 0)
    assert "The test call was accepted" in act(merchant, made, "test")
    server.answers = [404]
    assert "did not accept the test call: HTTP 404" in act(merchant, made, "test")
    assert "is paused" in act(merchant, made, "pause")
    assert not made.is_active
    waiting.refresh_from_db()
    assert waiting.status == "FAILED"
    assert "deleted or switched off" in act(merchant, made, "resend")
    server.answers = [404]
    assert "did not accept" in act(merchant, made, "activate")
    assert not made.is_active
    assert "is active" in act(merchant, made, "activate")
    assert made.is_active
    assert "that failed and can no longer be sent again: 1" in text(
        merchant, f"/developers/webhooks/{made.public_id}/leave"
    )
    assert "is deleted" in act(merchant, made, "delete")
    assert merchant.get(f"/developers/webhooks/{made.public_id}").status_code == 404
    assert merchant.post(f"/developers/webhooks/{made.public_id}/delete").status_code == 404


def test_a_delivery_shows_request_and_answer_and_is_sent_again(
    merchant: Client, company: Company, server: Receiver, hints: list[Any]
) -> None:
    made = endpoint(company, server.url)
    sent = delivery(made, "PENDING", 0)
    server.answers = [500]
    deliveries.deliver(sent.pk, 0)
    page = f"/developers/webhooks/{made.public_id}/{sent.event.event_id}"
    shown = text(merchant, page)
    assert "&quot;value&quot;:1990" in shown
    assert "HTTP 500" in shown
    assert "Bearer 7" not in shown
    assert "under way already" in merchant.post(page, follow=True).content.decode()
    WebhookDelivery.objects.update(status="FAILED")
    assert "being sent again" in merchant.post(page, follow=True).content.decode()
    sent.refresh_from_db()
    assert (sent.status, hints[-1][0]) == ("PENDING", "deliver_webhook")
    deliveries.deliver(sent.pk, 1)
    assert "HTTP 200" in text(merchant, page)


def test_all_failed_are_sent_again_and_only_they(merchant: Client, company: Company) -> None:
    made, other = endpoint(company), endpoint(company)
    failed, done, others = [delivery(made) for _ in range(3)], delivery(made, "DELIVERED", 1), delivery(other)
    assert "Send all failed again (3)" in text(merchant, f"/developers/webhooks/{made.public_id}")
    assert "sent again: 3" in act(merchant, made, "resend")
    assert set(WebhookDelivery.objects.filter(status="PENDING")) == set(failed)
    assert deliveries.sweep(now=timezone.now() + timedelta(seconds=1)) == 3
    for row in (done, others):
        row.refresh_from_db()
    assert (done.status, others.status) == ("DELIVERED", "FAILED")


def test_deliveries_are_filtered_turn_pages_and_cost_no_query_each(
    merchant: Client, company: Company, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    made = endpoint(company)
    rows = [delivery(made, "FAILED" if number % 2 else "DELIVERED") for number in range(30)]
    page = f"/developers/webhooks/{made.public_id}"
    with django_assert_max_num_queries(
        8
    ):  # session, person, company, head of its log, webhook, deliveries, balance, bell
        first = text(merchant, page)
    assert first.count("mono clip") == 25
    second = text(merchant, f"{page}?before={rows[5].pk}")
    assert second.count("mono clip") == 5
    assert text(merchant, f"{page}?status=FAILED").count("mono clip") == 15
    assert text(merchant, f"{page}?status=NOPE&before=x").count("mono clip") == 25
    with django_assert_max_num_queries(8):
        text(merchant, "/developers")


def test_app_ids_are_listed_without_their_secrets_and_with_their_last_use(merchant: Client, company: Company) -> None:
    application, app_id = companies.issue_application(company, "Loja virtual")
    companies.issue_application(making.company(), "Rival")
    shown = text(merchant, "/developers")
    assert "Never used" in shown
    assert "Rival" not in shown
    Client().get("/api/v1/charge", headers={"Authorization": app_id})
    shown = text(merchant, "/developers")
    assert "Never used" not in shown
    assert application.client_id in shown
    for secret in (app_id, application.secret_digest, app_id[-20:]):
        assert secret not in shown
    for ago, written in ((timedelta(minutes=50), False), (timedelta(minutes=70), True)):
        noted = timezone.now() - ago
        Application.objects.update(last_used_at=noted)
        Client().get("/api/v1/charge", headers={"Authorization": app_id})
        assert (Application.objects.get(pk=application.pk).last_used_at != noted) == written, "once an hour"


def test_a_rival_sees_and_changes_nothing(company: Company, client: Client) -> None:
    made = endpoint(company)
    sent = delivery(made)
    WebhookAttempt.objects.create(delivery=sent, number=1, request_body="secret")
    client.force_login(User.objects.create_user("rival@example.com", company=making.company()))
    page = f"/developers/webhooks/{made.public_id}"
    for path in (page, f"{page}/leave", f"{page}/{sent.event.event_id}"):
        assert client.get(path).status_code == 404
    assert client.post(f"{page}/{sent.event.event_id}").status_code == 404
    for action in ("test", "pause", "activate", "delete", "resend"):
        assert client.post(f"{page}/{action}").status_code == 404
    other = endpoint(making.company())
    assert client.get(f"/developers/webhooks/{other.public_id}/{sent.event.event_id}").status_code == 404
    made.refresh_from_db()
    assert (made.is_active, made.deleted_at, WebhookDelivery.objects.get().status) == (True, None, "FAILED")
