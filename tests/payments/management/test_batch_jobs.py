"""Commands that operators run by hand: a dry run changes nothing, and a second run does no harm."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from payments.models import Company, WebhookDelivery, WebhookEndpoint
from payments.services import payments
from payments.services.charges import receiving
from payments.services.payments import PaymentOrder
from tests.payments import making
from woovi import outbox, queue
from woovi.outbox.models import OutboxEvent

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def shop() -> Company:
    made = making.company()
    receiving.receive(making.pix(pix_key=made.pix_key, value=10_000))
    payments.create(made, PaymentOrder("a", 100, pix_key="ana@exemplo.com"))
    payments.approve(made, "a")
    return made


def failed_delivery(shop: Company, active: bool = True) -> WebhookDelivery:
    event = OutboxEvent.objects.filter(topic__startswith="OPENPIX:").latest("id")
    endpoint = WebhookEndpoint.objects.create(
        company=shop, name="a", event=event.topic, url="https://shop.example/", secret="x", is_active=active
    )
    return WebhookDelivery.objects.create(endpoint=endpoint, event=event, status="FAILED", attempts=8)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    monkeypatch.setattr(queue, "send", lambda messages: names.extend(name for name, _ in messages))
    return names


def test_the_queue_is_built_again(shop: Company, sent: list[str]) -> None:
    found = json.loads(run("rebuild_queue", "--dry-run", "--json"))
    assert (found["payments"], found["batches"], sent) == (1, 0, [])
    run("rebuild_queue")
    assert sent[:2] == ["check_refunds", "check_payments"]


def test_the_queue_cannot_be_built_without_a_broker(shop: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: Any) -> None:
        raise outbox.Unavailable("the broker is away")

    monkeypatch.setattr(queue, "send", away)
    with pytest.raises(CommandError, match="Nothing is lost"):
        run("rebuild_queue")


def test_failed_webhooks_are_sent_again(shop: Company, sent: list[str]) -> None:
    delivery, asleep = failed_delivery(shop), failed_delivery(shop, active=False)
    assert json.loads(run("retry_webhooks", "--dry-run", "--json")) == {"failed": 1, "sent": 0}
    later = (timezone.now() + timedelta(hours=1)).isoformat()
    assert json.loads(run("retry_webhooks", "--since", later, "--json"))["failed"] == 0
    assert json.loads(run("retry_webhooks", "--company", "none", "--json"))["failed"] == 0
    asked = ("--company", shop.tax_id, "--endpoint", delivery.endpoint.public_id, "--until", later)
    assert json.loads(run("retry_webhooks", *asked, "--json")) == {"failed": 1, "sent": 1}
    assert json.loads(run("retry_webhooks", "--json")) == {"failed": 0, "sent": 0}
    for row in (delivery, asleep):
        row.refresh_from_db()
    assert (delivery.status, asleep.status) == ("PENDING", "FAILED")


def test_a_statement(shop: Company) -> None:
    today = timezone.localdate().isoformat()
    asked = ("export_statement", shop.tax_id, "--from", today, "--to", today)
    lines = run(*asked).splitlines()
    assert lines[0] == "time,id,kind,reference,value,balance"
    assert [line.split(",")[2:3] + line.split(",")[4:] for line in lines[1:]] == [["pix_in", "99.20", "99.20"]]
    ofx = run(*asked, "--format", "ofx")
    tree = ElementTree.fromstring(ofx)
    assert tree.findtext(".//STMTTRN/TRNAMT") == "99.20"
    assert tree.findtext(".//LEDGERBAL/BALAMT") == "99.20"
    yesterday = (timezone.localdate() - timedelta(days=1)).isoformat()
    assert len(run("export_statement", shop.tax_id, "--from", yesterday, "--to", yesterday).splitlines()) == 1


def test_a_statement_in_a_file(shop: Company, tmp_path: Path) -> None:
    today, file = timezone.localdate().isoformat(), tmp_path / "a.csv"
    asked = ("export_statement", shop.tax_id, "--from", today, "--to", today)
    told = json.loads(run(*asked, "--file", str(file), "--json"))
    assert told == {"file": str(file), "bytes": file.stat().st_size}
    assert file.read_text().splitlines() == run(*asked).splitlines()
    with pytest.raises(CommandError, match="--file"):
        run(*asked, "--json")


def test_a_statement_of_nobody() -> None:
    with pytest.raises(CommandError, match="no company"):
        run("export_statement", "1", "--from", "2026-01-01", "--to", "2026-01-02")
