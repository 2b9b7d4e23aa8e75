"""Commands that operators run by hand: a dry run changes nothing, and a second run does no harm."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections
from django.utils import timezone

from payments import bank
from payments.bank.port import StatementLine
from payments.models import (
    BankCursor,
    BankDifference,
    Charge,
    Company,
    Payment,
    SetAsidePix,
    User,
    WebhookDelivery,
    WebhookEndpoint,
)
from payments.services import payments, withdrawals
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
    for option, unknown in (("--company", "none"), ("--company", "529.982.247-25"), ("--endpoint", "none")):
        with pytest.raises(CommandError, match=f"there is no (company|webhook) {unknown}"):
            run("retry_webhooks", option, unknown)
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


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("reconcile", "--from", "2026-03-04", "--to", "2026-03-03"), "--to 2026-03-03 is before --from 2026-03-04"),
        (("export_statement", "1", "--from", "2026-03-04", "--to", "2026-03-03"), "is before --from"),
        (("payout_batch", "import", "/nowhere/a.csv", "--user", "ana@example.com"), "/nowhere/a.csv: No such file"),
        (("payout_batch", "sample", "/nowhere/a.csv"), "/nowhere/a.csv: No such file"),
        (("payout_batch", "sample", "a.csv", "--rows", "-5"), "invalid choice: -5"),
    ],
)
def test_what_is_given_wrongly_is_said_in_a_line(db: None, given: tuple[str, ...], says: str) -> None:
    User.objects.create_user("ana@example.com", company=making.company())
    with pytest.raises(CommandError, match=says):
        run(*given)


def test_a_statement_by_a_printed_tax_id_into_a_folder_that_is_not_there(shop: Company) -> None:
    today, tax_id = timezone.localdate().isoformat(), shop.tax_id
    printed = f"{tax_id[:2]}.{tax_id[2:5]}.{tax_id[5:8]}/{tax_id[8:12]}-{tax_id[12:]}"
    asked = ("export_statement", printed, "--from", today, "--to", today)
    assert len(run(*asked).splitlines()) == 2
    with pytest.raises(CommandError, match=r"/nowhere/a.csv: No such file"):
        run(*asked, "--file", "/nowhere/a.csv")


def test_charges_are_expired_now_and_once(db: None) -> None:
    owner = making.company()
    for _ in range(3):
        making.charge(owner)
    making.charge(owner, expires_at=making.NOW + timedelta(days=9))
    assert json.loads(run("expire_charges", "--json")) == {"dry_run": False, "due": 0, "expired": 0}, "nothing was read"
    BankCursor.objects.create(name="received", read_until=making.NOW + timedelta(days=1))
    assert json.loads(run("expire_charges", "--dry-run", "--json")) == {"dry_run": True, "due": 3, "expired": 0}
    assert run("expire_charges") == "3 of 3 charges have expired\n"
    assert json.loads(run("expire_charges", "--json"))["due"] == 0
    assert Charge.objects.filter(status="EXPIRED").count() == 3


class Statement:
    """A bank with a statement, which lists no Pix."""

    def __init__(self, lines: list[StatementLine]) -> None:
        self.lines = lines

    def statement(self, start: datetime, end: datetime) -> list[StatementLine]:
        return self.lines

    def list_received(self, *_: Any) -> list[Any]:
        return []

    def balance(self, at: datetime) -> int:
        return 0


def test_days_are_reconciled_line_by_line(shop: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    noon = datetime.fromisoformat("2026-03-04T12:00-03:00")
    ids = [making.end_to_end_id() for _ in range(4)]
    for id_ in ids[:3]:
        receiving.receive(making.pix(end_to_end_id=id_, pix_key=shop.pix_key, value=500, paid_at=noon))
    values = {ids[0]: 500, ids[1]: 501, ids[3]: 700}
    monkeypatch.setattr(bank, "current", lambda: Statement([StatementLine(id_, v, noon) for id_, v in values.items()]))

    def reconcile(*more: str) -> Any:
        out = io.StringIO()
        with pytest.raises(SystemExit):
            call_command("reconcile", "--from", "2026-03-04", *more, stdout=out)
        return out.getvalue()

    found = json.loads(reconcile("--dry-run", "--json"))
    assert found["days"] == [
        {
            "day": "2026-03-04",
            "matched": 1,
            "missing_here": [{"end_to_end_id": ids[3], "there": 700, "here": 0}],
            "missing_there": [{"end_to_end_id": ids[2], "there": 0, "here": 500}],
            "amount_differs": [{"end_to_end_id": ids[1], "there": 501, "here": 500}],
        }
    ]
    assert not BankDifference.objects.exists()
    for _ in range(2):
        assert "1 matched" in reconcile()
    kinds = BankDifference.objects.exclude(kind="BALANCE").order_by("kind").values_list("kind", flat=True)
    assert list(kinds) == ["MISSING_AT_BANK", "MISSING_HERE", "VALUE"]
    assert SetAsidePix.objects.get().end_to_end_id == ids[3]


def test_a_day_that_is_not_over_is_not_reconciled(db: None) -> None:
    with pytest.raises(CommandError, match="Only a day that is over"):
        run("reconcile", "--from", timezone.localdate().isoformat())


def test_withdrawals_are_made_once_a_day(shop: Company) -> None:
    poor = making.company()
    receiving.receive(making.pix(pix_key=poor.pix_key, value=150))  # 100 are left after the fee
    planned = json.loads(run("settle_withdrawals", "--dry-run", "--json"))
    assert planned["withdrawals"] == [{"company": shop.public_id, "value": 9_820}]
    assert Payment.objects.count() == 1
    assert json.loads(run("settle_withdrawals", "--json"))["total"] == 9_820
    made = Payment.objects.latest("id")
    assert (made.pix_key, made.status, made.company_id) == (shop.tax_id, "APPROVED", shop.pk)
    receiving.receive(making.pix(pix_key=shop.pix_key, value=10_000))
    assert json.loads(run("settle_withdrawals", "--json"))["withdrawals"] == []
    assert withdrawals.settle(shop, 1_000, timezone.localdate()).pk == made.pk
    with pytest.raises(CommandError, match="there is no company none"):
        run("settle_withdrawals", "--company", "none")


def test_a_withdrawal_above_a_limit_is_named_and_tried_again(shop: Company) -> None:
    Company.objects.update(payment_limit=1_000)
    refused = json.loads(run("settle_withdrawals", "--json"))["refused"]
    assert [row["value"] for row in refused] == [9_820]
    assert "limit of one payment" in refused[0]["reason"]
    Company.objects.update(payment_limit=None)
    assert json.loads(run("settle_withdrawals", "--json"))["total"] == 9_820
    assert Payment.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_withdrawals_at_once_are_one(shop: Company) -> None:
    day = timezone.localdate()

    def one(_: int) -> int:
        try:
            return withdrawals.settle(shop, 5_000, day).pk
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(one, range(4)))) == 1
    assert Payment.objects.filter(pix_key=shop.tax_id).count() == 1
