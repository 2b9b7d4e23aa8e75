"""The bell: what happened while somebody was away, how much of it is new to whom, and what needs somebody."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from payments.models import Company, Payment, PayoutBatch, Refund, User, WebhookEndpoint
from payments.selectors import notices
from payments.services.charges import receiving, refunds
from payments.services.webhooks import breaker
from tests.payments import making
from woovi.outbox.models import OutboxEvent

pytestmark = pytest.mark.django_db


def happen(company: Company) -> dict[str, str]:
    """One thing of each kind, each a second later than the one before. Returns the page of each."""
    now, maker = timezone.now() - timedelta(minutes=1), company.users.earliest("id")
    company.users.update(date_joined=now)  # what was before somebody came is no news to them
    paid = making.charge(company, 10_000, expires_at=now + timedelta(hours=1))
    receiving.receive(making.pix(paid, paid_at=now, payer_name="Bia Costa"), now=now + timedelta(seconds=1))
    paid.refresh_from_db()
    for number, status in ((2, "CONFIRMED"), (3, "REJECTED")):
        refund = refunds.request(company, paid, f"r{number}", 100, "", now=now)
        Refund.objects.filter(pk=refund.pk).update(status=status, resolved_at=now + timedelta(seconds=number))
    Payment.objects.create(
        company=company, correlation_id="p", type="PIX_KEY", value=500, pix_key="ana@exemplo.com", hold=refund.hold,
        status="FAILED", reason="AC06 - blocked", resolved_at=now + timedelta(seconds=4),
    )  # fmt: skip
    for number, status in ((5, "DONE"), (6, "PARTIAL")):
        ended = now + timedelta(seconds=number)
        PayoutBatch.objects.create(company=company, name=status, status=status, total=7, maker=maker, finished_at=ended)
    hook = WebhookEndpoint.objects.create(company=company, name="Loja", event="E", url="http://127.0.0.1:9/")
    for _ in range(breaker.FAILURES):
        breaker.failed(hook, now + timedelta(seconds=7), breaker.Entry.PLAIN)
    page = f"/charges/{paid.public_id}"
    batches = [f"/batches/{batch.public_id}" for batch in company.payouts.order_by("finished_at")]
    return {
        "received": page,
        "refund_done": page,
        "refund_refused": page,
        "payment_failed": f"/payments/{company.payments.get().public_id}",
        "batch_done": batches[0],
        "batch_partly": batches[1],
        "webhook_failing": f"/developers/webhooks/{hook.public_id}",
    }


def test_each_thing_that_happened_is_told_newest_first_and_leads_to_its_page(
    merchant: Client, company: Company, user: User
) -> None:
    pages = happen(company)
    other = User.objects.create_user("eva@example.com", company=making.company())
    assert [notice.kind for notice in notices.latest(user)] == list(reversed(pages))
    page = merchant.get("/notices").content.decode()
    assert re.findall(r'class="row notice fresh" href="([^"]+)"', page) == list(reversed(pages.values()))
    assert {merchant.get(path).status_code for path in pages.values()} == {200}
    trouble = merchant.get("/notices?only=trouble").content.decode()
    assert trouble.count('class="row notice') == 4
    assert ("Bia Costa" in page, "Bia Costa" in trouble) == (True, False)
    assert notices.latest(other) == []
    assert notices.unread(other) == 0


def test_each_person_has_read_until_some_moment(merchant: Client, company: Company, user: User) -> None:
    colleague = User.objects.create_user("bia@example.com", company=company, role="VIEWER")
    happen(company)
    user.refresh_from_db()
    colleague.refresh_from_db()
    assert notices.unread(user) == notices.unread(colleague) == 7
    until = notices.latest(user)[2].at  # the page was read before the last two
    # The first is of the year before the first, which PostgreSQL keeps and Python cannot read: the team's page would break.
    for wrong in (
        "0001-01-01T00:00+14:00",
        "0001-01-01T00:00:00Z",
        "",
        "x",
        "2026-13-01T00:00:00Z",
        "2026-01-01T00:00:00",
    ):
        assert merchant.post("/notices", {"until": wrong}).status_code == 302
    user.refresh_from_db()
    assert notices.unread(user) == 7
    notices.read(user, until)
    notices.read(user, until - timedelta(seconds=3))  # an older page's button, pressed late
    user.refresh_from_db()
    assert notices.unread(user) == 2
    assert ">2<" in merchant.get("/notices/bell").content.decode()
    merchant.post("/notices", {"until": "9999-01-01T00:00:00Z"})  # nobody has read what is to come
    user.refresh_from_db()
    assert user.notices_read_at
    assert user.notices_read_at <= timezone.now()
    colleague.refresh_from_db()
    assert notices.unread(colleague) == 7


def test_more_than_a_hundred_are_not_counted(company: Company, user: User) -> None:
    for _ in range(3):
        receiving.receive(making.pix(pix_key=company.pix_key))
    assert notices.unread(user) == 3
    before, notices.COUNTED = notices.COUNTED, 2
    try:
        assert notices.unread(user) == 2
    finally:
        notices.COUNTED = before


def test_a_webhook_that_fails_is_told_once_until_it_works(company: Company, user: User) -> None:
    hook = WebhookEndpoint.objects.create(company=company, name="Loja", event="E", url="http://127.0.0.1:9/")
    now = timezone.now()
    for number in range(breaker.FAILURES + 3):
        breaker.failed(hook, now + timedelta(seconds=number), breaker.Entry.PLAIN)
    hook.refresh_from_db()
    breaker.failed(hook, now + timedelta(minutes=1), breaker.Entry.PROBE)
    assert OutboxEvent.objects.filter(topic="webhook.failing", tenant=str(company.pk)).count() == 1
    assert [notice.at for notice in notices.latest(user)] == [now + timedelta(seconds=breaker.FAILURES - 1)]
    breaker.succeeded(hook)
    assert notices.latest(user) == []


def test_who_may_approve_is_told_what_others_made(merchant: Client, company: Company, user: User) -> None:
    made = {"company": company, "type": "PIX_KEY", "value": 500, "pix_key": "ana@exemplo.com"}
    maker = User.objects.create_user("bia@example.com", company=company, role="FINANCE")
    theirs = making.company()
    User.objects.create_user("eva@example.com", company=theirs)
    Payment.objects.create(**made, correlation_id="mine", maker=user)
    payment = Payment.objects.create(**made, correlation_id="hers", maker=maker)
    program = Payment.objects.create(**made, correlation_id="a program's")
    Payment.objects.create(**made | {"company": theirs}, correlation_id="theirs")
    for person in (user, maker):
        PayoutBatch.objects.create(company=company, name="a.csv", status="AWAITING_APPROVAL", total=7, maker=person)
    told = [(notice.kind, notice.public_id) for notice in notices.latest(user, trouble=True)]
    batch = company.payouts.get(maker=maker)
    assert told == [
        ("batch_waits", batch.public_id),
        ("payment_waits", program.public_id),
        ("payment_waits", payment.public_id),
    ]
    assert notices.latest(maker) == [], "who may not approve"
    assert f"/payments/{payment.public_id}" in merchant.get("/notices").content.decode()
    Payment.objects.filter(company=company).update(status="DENIED")
    assert [notice.kind for notice in notices.latest(user)] == ["batch_waits"]
