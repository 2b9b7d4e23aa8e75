"""A merchant's pages of payout batches: from the upload to the result, and nothing of another company."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from payments.models import Company, PayoutBatch, User
from payments.services import batches
from payments.services.charges import receiving
from tests.payments import making
from tests.payments.batches import spreadsheets
from tests.payments.batches.conftest import HEADER, BankInProcess, csv_of, pay_all, quick_bank

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["quick_bank"]


@pytest.fixture
def shop() -> Company:
    made = making.company()
    receiving.receive(making.pix(pix_key=made.pix_key, value=10_000))
    return made


def person(shop: Company, name: str) -> Client:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(User.objects.create_user(f"{name}{shop.pk}@example.com", company=shop))
    return client


@pytest.fixture
def maker(shop: Company) -> Client:
    return person(shop, "maker")


@pytest.fixture
def checker(shop: Company) -> Client:
    return person(shop, "checker")


def upload(client: Client, text: str) -> str:
    answer = client.post("/batches", {"file": SimpleUploadedFile("folha.csv", text.encode())})
    assert answer.status_code == 302, answer.content.decode()
    return answer["Location"]


def act(client: Client, page: str, action: str, **form: object) -> str:
    answer = client.post(f"{page}/{action}", form, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_from_the_upload_to_the_result(quick_bank: BankInProcess, maker: Client, checker: Client) -> None:
    page = upload(maker, csv_of(4, bad=1))
    batch = PayoutBatch.objects.get()
    assert "Ask for approval" in maker.get(page).content.decode()
    shown = act(maker, page, "submit")
    assert "Another person of your company" in shown
    assert "Approve and pay" not in shown
    assert "does not approve it" in act(maker, page, "approve", signature=batch.signature)
    assert "Approve and pay" in checker.get(page).content.decode()
    assert "changed since it was shown" in act(checker, page, "approve", signature="x")
    assert "Being paid" in act(checker, page, "approve", signature=batch.signature)
    assert "Paused" in act(checker, page, "pause")
    assert "Being paid" in act(checker, page, "resume")

    pay_all(batch)

    text = checker.get(page).content.decode()
    assert "Paid in part" in text
    assert "Pay 1 failed rows again (R$\u00a01,00)" in text
    assert "Other rows have failed" in act(checker, page, "retry", count=2, total=100)
    assert "Being paid" in act(checker, page, "retry", count=1, total=100)
    result = checker.get(f"{page}/result.csv")
    assert b"".join(result.streaming_content).count(b"CONFIRMED") == 3  # type: ignore[attr-defined]
    assert "Cancelled" in act(checker, page, "cancel")


def test_a_file_that_does_not_fit_into_memory_is_read_from_the_disk(maker: Client, settings: Any) -> None:
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 1_000
    for data in (
        csv_of(100).encode(),
        spreadsheets.xlsx(spreadsheets.HEADER + spreadsheets.row(2, "x", "ana@exemplo.com", "1,00")),
    ):
        answer = maker.post("/batches", {"file": SimpleUploadedFile("folha", data)})
        assert answer.status_code == 302, answer.content.decode()
    assert list(PayoutBatch.objects.order_by("id").values_list("status", "rows")) == [
        ("VALIDATED", 100),
        ("VALIDATED", 1),
    ]


def test_rows_to_correct_are_named(maker: Client) -> None:
    page = upload(maker, HEADER + "a;nobody;1,00;\n")
    text = maker.get(page).content.decode()
    assert "1 rows cannot be paid" in text
    assert "Line 2, chave: not a valid CPF or CNPJ" in text


def test_a_file_that_is_none_is_refused_at_its_field(maker: Client) -> None:
    for file in (None, SimpleUploadedFile("x.csv", b"a;b\n1;2\n")):
        answer = maker.post("/batches", {"file": file} if file else {})
        assert answer.status_code == 422
        assert 'class="error"' in answer.content.decode()
    assert not PayoutBatch.objects.exists()


def test_the_template_is_what_can_be_uploaded(maker: Client, shop: Company) -> None:
    answer = maker.get("/batches/template.csv")
    user = User.objects.get(company=shop)
    assert batches.upload(shop, user, "a", io.BytesIO(answer.content)).status == "VALIDATED"


def test_a_rival_sees_and_changes_nothing(maker: Client) -> None:
    page = upload(maker, csv_of(2))
    rival = person(making.company(), "rival")
    for path in (page, f"{page}/result.csv"):
        assert rival.get(path).status_code == 404
    for action in ("submit", "approve", "pause", "resume", "cancel", "retry"):
        assert rival.post(f"{page}/{action}").status_code == 404
    assert "folha.csv" not in rival.get("/batches").content.decode()
    assert PayoutBatch.objects.get().status == "VALIDATED"


def test_strangers_are_sent_to_the_log_in(maker: Client) -> None:
    page = upload(maker, csv_of(1))
    for path in ("/batches", page, f"{page}/result.csv"):
        assert Client().get(path)["Location"].startswith("/login")
    assert Client().post(f"{page}/submit")["Location"].startswith("/login")
