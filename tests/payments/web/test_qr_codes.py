"""Static QR codes on the pages: made once, printed, with what they received, deleted; nothing of another company."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from payments.models import Company, QrCode
from payments.services import qr_codes
from payments.services.charges import receiving
from payments.services.qr_codes import QrCodeRequest
from tests.payments import making
from tests.payments.web.test_charges import text

FORM = {"name": "Balcão", "value": "5,00", "comment": "Café"}


def paid(code: QrCode, value: int, **fields: str) -> None:
    receiving.receive(making.pix(pix_key=code.pix_key, txid=code.identifier, value=value, **fields))


def test_one_is_made_once_and_printed(merchant: Client, bank: object, company: Company) -> None:
    assert "No static QR codes yet" in text(merchant, "/qr-codes")
    form = merchant.get("/qr-codes/new")["Location"]
    made = merchant.post(form, FORM)["Location"]
    code = QrCode.objects.get()
    assert made == f"/qr-codes/{code.public_id}"
    assert (code.company, code.name, code.value, code.comment) == (company, "Balcão", 500, "Café")
    assert merchant.post(form, {**FORM, "name": "x"})["Location"] == made, "a double click"
    assert QrCode.objects.count() == 1
    for path in (made, f"{made}/print"):
        page = text(merchant, path)
        for words in ("Balcão" if path == made else company.trade_name, "R$ 5,00", f"image/{code.payment_link_id}.svg"):
            assert words in page, (path, words)
    merchant.post(merchant.get("/qr-codes/new")["Location"], {"name": "Doação"})
    assert "The payer chooses the value" in text(merchant, "/qr-codes")


@pytest.mark.parametrize(
    ("changes", "field", "told"),
    [
        ({"name": ""}, "name", "required"),
        ({"value": "12.34"}, "value", "12,34"),
        ({"comment": "x" * 141}, "comment", "at most 140"),
    ],
)
def test_what_is_wrong_stands_at_its_field(merchant: Client, changes: dict[str, str], field: str, told: str) -> None:
    answer = merchant.post(merchant.get("/qr-codes/new")["Location"], {**FORM, **changes})
    assert answer.status_code == 422
    assert told in answer.content.decode().split(f'id="id_{field}_error"')[1].split("</p>")[0]
    assert not QrCode.objects.exists()


def test_each_shows_what_it_received_and_costs_no_query(
    merchant: Client, bank: object, company: Company, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    codes = [qr_codes.create(company, QrCodeRequest(f"Mesa {number:02d}")) for number in range(30)]
    for value in (1_000, 2_500):
        paid(codes[29], value, payer_name="Zeca")
    with django_assert_max_num_queries(7):  # session, person, company, head of its log, codes, the balance, the bell
        page = text(merchant, "/qr-codes")
    row = page.split("Mesa 29")[1].split("</li>")[0]
    assert "Paid: 2" in row
    assert "R$ 35,00" in row
    seen = re.findall(r"Mesa \d\d", page)
    seen += re.findall(r"Mesa \d\d", text(merchant, "/qr-codes" + page.split('id="older" href="')[1].split('"')[0]))
    assert seen == [f"Mesa {number:02d}" for number in reversed(range(30))]
    with django_assert_max_num_queries(8):  # and its Pix
        page = text(merchant, f"/qr-codes/{codes[29].public_id}")
    assert 'id="times">2<' in page
    assert page.count("Zeca") == 2
    assert "Nobody has paid it yet" in text(merchant, f"/qr-codes/{codes[0].public_id}")


def test_it_is_deleted_after_it_was_asked_and_its_print_still_pays(
    merchant: Client, bank: object, company: Company
) -> None:
    code = qr_codes.create(company, QrCodeRequest("Balcão"))
    paid(code, 1_000)
    page = f"/qr-codes/{code.public_id}/delete"
    asked = text(merchant, page)
    assert all(words in asked for words in ("Delete Balcão?", "<dd>1</dd>", "R$ 10,00"))
    assert "Balcão" in text(merchant, "/qr-codes"), "a reading changes nothing"
    assert "is deleted" in merchant.post(page, follow=True).content.decode()
    assert "No static QR codes yet" in text(merchant, "/qr-codes")
    assert merchant.get(f"/qr-codes/{code.public_id}").status_code == 404
    paid(code, 1_000)
    assert making.balances(company)["MERCHANT"] == 1_900


def test_another_companys_do_not_exist(merchant: Client, bank: object) -> None:
    theirs = qr_codes.create(making.company(), QrCodeRequest("Secret"))
    for path in ("", "/print", "/delete"):
        assert merchant.get(f"/qr-codes/{theirs.public_id}{path}").status_code == 404
    assert merchant.post(f"/qr-codes/{theirs.public_id}/delete").status_code == 404
    assert "Secret" not in text(merchant, f"/qr-codes?before={theirs.public_id}")
    theirs.refresh_from_db()
    assert theirs.deleted_at is None
