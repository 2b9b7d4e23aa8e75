"""The statement: every movement with its balance, as a page and as files; receipts; nothing of another company."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncRequestFactory, Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from payments.bank.port import BankReturn, BankSent, ReturnStatus, SendStatus
from payments.models import Company, Payment, ReceivedPix, Refund, User
from payments.selectors import statement
from payments.selectors.statement import Period
from payments.services import payments
from payments.services.charges import receiving, refunds, returning
from payments.services.payments import PaymentOrder, outcomes
from payments.web import downloads
from tests.payments import making
from tests.payments.web.test_charges import text

TODAY = Period(timezone.localdate() - timedelta(days=1), timezone.localdate())


@pytest.fixture
def moved(company: Company) -> Company:
    """100 reais received of Bia, less 80 centavos; 30 given back; 20 sent; and ten of Caio."""
    now = timezone.now()
    charge = making.charge(company, 10_000, correlation_id="pedido-1", created_at=now, expires_at=now)
    receiving.receive(making.pix(charge, paid_at=now, payer_name="Bia Costa"))
    charge.refresh_from_db()
    refund = refunds.request(company, charge, "r1", 3_000, "Troca", now=now)
    returning.resolve(refund.pk, BankReturn(refund.return_id, "D" + "1" * 31, 3_000, ReturnStatus.DONE, ""), now)
    made = payments.create(company, PaymentOrder("p1", 2_000, pix_key="ana@exemplo.com"))
    made = payments.approve(company, made.correlation_id)
    answer = BankSent(made.public_id, made.end_to_end_id, 2_000, SendStatus.DONE)
    outcomes.book(made, answer, now)
    receiving.receive(making.pix(pix_key=company.pix_key, value=1_000, payer_name="Caio", paid_at=now))
    return company


def values(company: Company, **changes: Any) -> list[tuple[int, int]]:
    period = Period(TODAY.first, TODAY.last, **changes)
    newest_first = [(line.value, line.balance) for line in statement.page(company, period, 0, 50)]
    assert newest_first[::-1] == [(line.value, line.balance) for line in statement.lines(company, period)]
    return newest_first


ALL = [(950, 5_870), (-2_000, 4_920), (-3_000, 6_920), (9_920, 9_920)]


def test_every_movement_has_the_balance_after_it_whatever_is_looked_for(moved: Company) -> None:
    receiving.receive(making.pix(making.charge(making.company(), 7_000, comment="Bia Costa")))
    assert values(moved) == ALL
    assert values(moved, kind="RECEIVED") == [ALL[0], ALL[3]]
    assert values(moved, kind="SENT") == [ALL[1]]
    assert values(moved, kind="RETURNED") == [ALL[2]]
    assert values(moved, kind="OTHER") == []
    for words, found in (
        ("bia", [ALL[3]]),
        ("pedido-1", [ALL[3]]),
        ("100,00", [ALL[3]]),  # before the fee
        ("99,20", [ALL[3]]),
        ("30,00", [ALL[2]]),
        ("r1", [ALL[2]]),
        ("ANA@exemplo.com", [ALL[1]]),
        ("caio", [ALL[0]]),
        (ReceivedPix.objects.get(company=moved, payer_name="Caio").end_to_end_id, [ALL[0]]),
        ("nothing", []),
        ("99999999999999999999,00", []),
    ):
        assert values(moved, text=words) == found, words
    assert statement.page(moved, Period(TODAY.first, TODAY.first), 0, 50) == []


def test_pages_follow_each_other_without_a_gap(moved: Company) -> None:
    seen: list[int] = []
    before = 0
    while found := statement.page(moved, TODAY, before, 2):
        seen += [line.balance for line in found]
        before = found[-1].id
    assert seen == [balance for _, balance in ALL]


def test_the_page_shows_it_and_asks_as_often_for_many_as_for_one(
    merchant: Client, moved: Company, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    page = text(merchant, "/statement")
    for words in ("+R$ 9,50", "-R$ 20,00", "R$ 58,70", "Pix sent · ana@exemplo.com", "Refund · Bia Costa"):
        assert words in page, words
    for _ in range(60):
        receiving.receive(making.pix(pix_key=moved.pix_key))
    # Session, person, company, head of its log, account, movements, balances, what is behind them (3), the balance, the bell.
    with django_assert_max_num_queries(12):
        page = text(merchant, "/statement")
    older = page.split('id="older" href="')[1].split('"')[0].replace("&amp;", "&")
    assert "-R$ 20,00" in text(merchant, f"/statement{older}")
    assert "No movement matches" in text(merchant, "/statement?q=nothing")
    assert "<html" not in text(merchant, "/statement", **{"HX-Request": "true"})


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("first=2026-02-02&last=2026-02-01", "before the beginning"),
        ("first=2020-01-01&last=2026-02-01", "At most a year"),
        ("first=nonsense", "valid date"),
        ("kind=NOPE", "valid choice"),
        ("q=%00", "Null characters"),
    ],
)
def test_what_cannot_be_read_is_told_at_its_field(merchant: Client, query: str, told: str) -> None:
    for path in ("/statement", "/statement.csv"):
        answer = merchant.get(f"{path}?{query}")
        assert answer.status_code == 422
        assert told in answer.content.decode().split('class="error"')[1].split("</p>")[0]
    assert merchant.get("/statement?before=x").status_code == 200


def test_files_have_what_the_page_has(merchant: Client, moved: Company) -> None:
    answer = merchant.get("/statement.csv?kind=RECEIVED")
    assert answer.streaming
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert [(row["value"], row["balance"]) for row in rows] == [("99.20", "99.20"), ("9.50", "58.70")]
    ofx = merchant.get("/statement.ofx?kind=RECEIVED").getvalue().decode()
    tree = ElementTree.fromstring(ofx)
    assert [each.text for each in tree.iter("TRNAMT")] == ["99.20", "-30.00", "-20.00", "9.50"]
    assert tree.findtext(".//LEDGERBAL/BALAMT") == "58.70"


def test_under_asgi_a_file_is_sent_while_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "AT_ONCE", 2)
    made: list[int] = []

    def lines() -> Any:
        for number in range(5):
            made.append(number)
            yield f"{number}\n"

    answer = downloads.streamed(AsyncRequestFactory().get("/"), lines(), "a.csv", "text/csv")

    async def read() -> tuple[list[int], str]:
        pieces = aiter(answer)
        first = await anext(pieces)
        after_the_first = list(made)
        return after_the_first, b"".join([first, *[piece async for piece in pieces]]).decode()

    assert async_to_sync(read)() == ([0, 1], "0\n1\n2\n3\n4\n")


def test_receipts(merchant: Client, moved: Company) -> None:
    pix = ReceivedPix.objects.get(company=moved, payer_name="Bia Costa")
    payment, refund = Payment.objects.get(), Refund.objects.get()
    for path, words in (
        (f"pix/{pix.public_id}", ("Pix received", "R$ 100,00", "Bia Costa", pix.end_to_end_id)),
        (f"payment/{payment.public_id}", ("Pix sent", "R$ 20,00", "ana@exemplo.com", payment.end_to_end_id)),
        (f"refund/{refund.public_id}", ("refund", "R$ 30,00", "Bia Costa", "Troca", "D" + "1" * 31)),
    ):
        assert f"/receipts/{path}" in text(merchant, "/statement")
        page = text(merchant, f"/receipts/{path}")
        assert all(word in page for word in words), path
    Payment.objects.update(status="PROCESSING")
    assert merchant.get(f"/receipts/payment/{payment.public_id}").status_code == 404, "there is nothing to confirm yet"


def test_a_rival_sees_nothing(moved: Company, client: Client) -> None:
    client.force_login(User.objects.create_user("rival@example.com", company=making.company()))
    pix = ReceivedPix.objects.filter(company=moved).first()
    assert pix
    for path in ("/statement", f"/statement?q={pix.end_to_end_id}", "/statement?q=bia&before=999999999"):
        assert "Bia" not in client.get(path).content.decode()
    for path in (
        f"pix/{pix.public_id}",
        f"payment/{Payment.objects.get().public_id}",
        f"refund/{Refund.objects.get().public_id}",
    ):
        assert client.get(f"/receipts/{path}").status_code == 404
    assert len(client.get("/statement.csv").getvalue().splitlines()) == 1
