"""What cannot be undone is asked first, with what it will do, in numbers; asking does nothing."""

from __future__ import annotations

import pytest
from django.test import Client

from payments.models import Company, Payment, User, WebhookDelivery, WebhookEndpoint
from tests.payments.web.test_charges import text
from woovi.outbox.models import OutboxEvent

pytestmark = pytest.mark.django_db


def test_a_payment_is_taken_back_after_its_value_was_shown(merchant: Client, company: Company, user: User) -> None:
    payment = Payment.objects.create(
        company=company, correlation_id="p", type="PIX_KEY", value=12_345, pix_key="ana@exemplo.com", maker=user
    )
    page = f"/payments/{payment.public_id}"
    assert f'href="{page}/leave"' in text(merchant, page)
    asked = text(merchant, f"{page}/leave")
    assert "the R$ 123,45 stay yours" in asked
    payment.refresh_from_db()
    assert payment.status == "CREATED"
    merchant.post(f"{page}/remove")
    assert merchant.get(f"{page}/leave").status_code == 404
    Payment.objects.update(status="DENIED")
    assert merchant.get(f"{page}/leave")["Location"] == page


def test_who_is_left_is_said_before_a_person_is_switched_off(merchant: Client, company: Company) -> None:
    people = [
        User.objects.create_user(f"{role}@example.com".lower(), company=company, role=role)
        for role in ("FINANCE", "APPROVER", "VIEWER")
    ]
    User.objects.create_user("off@example.com", company=company, role="APPROVER", is_active=False)
    asked = text(merchant, f"/team/{people[1].pk}/leave")
    for words, count in (("manage the team", 1), ("make payments", 2), ("approve them", 1)):
        assert f"{words}</dt><dd>{count}</dd>" in asked
    people[1].refresh_from_db()
    assert people[1].is_active
    assert "Switch approver@example.com off?" in asked
    assert merchant.get(f"/team/{User.objects.get(email='off@example.com').pk}/leave").status_code == 404


def test_what_waits_is_said_before_a_webhook_is_paused(merchant: Client, company: Company) -> None:
    hook = WebhookEndpoint.objects.create(company=company, name="Loja", event="E", url="http://127.0.0.1:9/")
    for status in ("PENDING", "PENDING", "FAILED", "DELIVERED"):
        event = OutboxEvent.objects.create(topic="OPENPIX:E", tenant=str(company.pk), payload={})
        WebhookDelivery.objects.create(endpoint=hook, event=event, status=status)
    page = f"/developers/webhooks/{hook.public_id}"
    assert f'href="{page}/stop"' in text(merchant, page)
    assert "will fail: 2;" in text(merchant, f"{page}/stop")
    assert "data-waits" in text(merchant, page), "its tries are no events: the page reads itself again"
    WebhookDelivery.objects.filter(status="PENDING").update(status="FAILED")
    assert "data-waits" not in text(merchant, page)
    hook.refresh_from_db()
    assert hook.is_active
