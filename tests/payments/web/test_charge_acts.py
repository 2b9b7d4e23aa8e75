"""What a merchant does with charges that are there: cancel one, print its code, save the list as a file."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from payments.models import Charge, Company, ReceivedPix
from payments.services import charges as service
from payments.services import csv_lines
from payments.services.charges import receiving
from tests.payments import making
from tests.payments.web.test_charges import text
from tests.processes import free_port


def rows(client: Client, query: str = "") -> list[dict[str, str]]:
    answer = client.get(f"/charges.csv{query}")
    assert answer.streaming
    return list(csv.DictReader(io.StringIO(answer.getvalue().decode())))


def test_a_charge_is_cancelled_after_it_was_asked(merchant: Client, bank: Any, company: Company, settings: Any) -> None:
    charge = service.create(company, service.ChargeRequest("order-1", 4_990, customer={"name": "Bia"}))
    path = f"/charges/{charge.public_id}/cancel"
    assert path in text(merchant, f"/charges/{charge.public_id}")
    asked = text(merchant, path)
    assert all(words in asked for words in ("Cancel the charge of R$ 49,90?", "Bia", "order-1"))
    charge.refresh_from_db()
    assert charge.status == "ACTIVE", "a reading changes nothing"

    settings.BANK_URL = f"http://127.0.0.1:{free_port()}"  # nobody listens
    assert "The bank does not answer" in merchant.post(path, follow=True).content.decode()
    charge.refresh_from_db()
    assert (charge.status, charge.deleted_at) == ("ACTIVE", None)

    settings.BANK_URL = bank.url
    told = merchant.post(path, follow=True).content.decode().replace("\u00a0", " ")
    assert "The charge of R$ 49,90 is cancelled." in told
    charge.refresh_from_db()
    assert charge.status == "EXPIRED"
    assert charge.deleted_at
    assert merchant.get(f"/charges/{charge.public_id}").status_code == 404
    assert merchant.post(path)["Location"] == "/charges", "a double click"
    late = receiving.receive(making.pix(charge))
    assert late
    assert late.outcome == ReceivedPix.Outcome.LATE, "it goes back to its payer"


def test_what_is_paid_or_over_is_not_cancelled(merchant: Client, company: Company) -> None:
    receiving.receive(making.pix(paid := making.charge(company)))
    over = making.charge(company, status="EXPIRED")
    for charge in (paid, over):
        for method in (merchant.get, merchant.post):
            answer = method(f"/charges/{charge.public_id}/cancel", follow=True)
            assert "can be cancelled" in answer.content.decode()
        assert 'id="cancel"' not in text(merchant, f"/charges/{charge.public_id}")
    assert not Charge.objects.filter(deleted_at__isnull=False).exists()


def test_the_code_is_printed_while_it_can_be_paid(merchant: Client, company: Company) -> None:
    charge = making.charge(company, 4_990, comment="Mesa 4", expires_at=timezone.now() + timedelta(hours=1))
    page = text(merchant, f"/charges/{charge.public_id}/print")
    for words in (company.trade_name, "R$ 49,90", "Mesa 4", f"image/{charge.payment_link_id}.svg"):
        assert words in page, words
    Charge.objects.update(status="EXPIRED")
    assert merchant.get(f"/charges/{charge.public_id}/print")["Location"] == f"/charges/{charge.public_id}"


def test_the_file_has_every_charge_that_the_list_has(
    merchant: Client, company: Company, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    paid = making.charge(
        company,
        10_000,
        correlation_id="order-0",
        comment='=1+1"',
        customer={"name": "-2+cmd|' /C calc'!A0", "taxID": making.BIA},
    )
    pix = receiving.receive(making.pix(paid, payer_name="+1+1"))
    for number in range(1, 31):
        making.charge(company, number, correlation_id=f"order-{number}")
    making.charge(making.company(), 777, correlation_id="theirs")
    # Session, person, company, head of its log, the charges, their Pix.
    with django_assert_max_num_queries(6):
        found = rows(merchant)
    assert {row["correlationID"] for row in found} == {f"order-{number}" for number in range(31)}
    [row] = rows(merchant, "?status=COMPLETED&least=50,00&q=calc")
    assert pix
    assert (row["value"], row["fee"], row["status"], row["endToEndId"]) == (
        "100.00",
        "0.80",
        "COMPLETED",
        pix.end_to_end_id,
    )
    assert (row["customer"], row["taxID"], row["payer"]) == ("'-2+cmd|' /C calc'!A0", making.BIA, "'+1+1")
    assert row["comment"] == "'=1+1\"", "no spreadsheet takes it for a formula"
    assert csv_lines.line(["-1.23", "+5511999991234", "-"]) == "-1.23,+5511999991234,-\r\n", "but these stay"
    assert merchant.get("/charges.csv?least=12.34").status_code == 422
    page = text(merchant, "/charges?least=50,00")
    assert 'href="/charges.csv?least=50%2C00&amp;"' in page
