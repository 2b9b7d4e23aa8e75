"""A merchant's pages of payout batches: from the upload to the result, and nothing of another company."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import translation

from payments.models import Company, PayoutBatch, User
from payments.services import batches, payments
from payments.services.charges import receiving
from payments.templatetags.batches import REASONS
from tests.payments import making
from tests.payments.batches import spreadsheets
from tests.payments.batches.conftest import HEADER, BankInProcess, csv_of, pay_all, quick_bank
from tests.payments.web.log_in import Owner

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
def phone(shop: Company) -> Owner:
    """The checker's second factor."""
    return Owner(User.objects.create_user(f"checker{shop.pk}@example.com", company=shop))


@pytest.fixture
def checker(phone: Owner) -> Client:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(phone.user)
    return client


def upload(client: Client, text: str) -> str:
    answer = client.post("/batches", {"file": SimpleUploadedFile("folha.csv", text.encode())})
    assert answer.status_code == 302, answer.content.decode()
    return answer["Location"]


def act(client: Client, page: str, action: str, **form: object) -> str:
    answer = client.post(f"{page}/{action}", form, follow=True)
    assert answer.status_code in {200, 422}
    return answer.content.decode().replace("\u00a0", " ")


def test_from_the_upload_to_the_result(
    quick_bank: BankInProcess, maker: Client, checker: Client, phone: Owner, shop: Company
) -> None:
    page = upload(maker, csv_of(4, bad=1))
    batch = PayoutBatch.objects.get()
    assert "Ask for approval" in maker.get(page).content.decode()
    shown = act(maker, page, "submit")
    assert "Another person of your company" in shown
    assert "Approve and pay" not in shown
    assert "Switch on your second factor first" in act(maker, page, "approve", signature=batch.signature)
    makers = Owner(User.objects.get(email=f"maker{shop.pk}@example.com"))
    maker.force_login(makers.user)
    assert "does not approve it" in act(maker, page, "approve", signature=batch.signature, code=makers.code)
    assert "Approve and pay R$ 4,00 (rows: 4)" in act(
        checker, page, "approve", signature=batch.signature, code="000000"
    )
    assert "This code is wrong" in act(checker, page, "approve", signature=batch.signature, code="000000")
    assert "This field is required" in act(checker, page, "approve", signature=batch.signature)
    assert PayoutBatch.objects.get().status == "AWAITING_APPROVAL"
    assert "changed since it was shown" in act(checker, page, "approve", signature="x", code=phone.code)
    assert "Being paid" in act(checker, page, "approve", signature=batch.signature, code=phone.recovery[0])
    assert "Paused" in act(checker, page, "pause")
    assert "Being paid" in act(checker, page, "resume")

    pay_all(batch)

    text = checker.get(page).content.decode().replace("\u00a0", " ")
    assert "Paid in part" in text
    assert "Pay failed rows again: 1 (R$ 1,00)" in text
    assert "Other rows have failed" in act(checker, page, "retry", count=2, total=100)
    assert "Being paid" in act(checker, page, "retry", count=1, total=100)
    result = checker.get(f"{page}/result.csv")
    assert b"".join(result.streaming_content).count(b"CONFIRMED") == 3  # type: ignore[attr-defined]
    asked = checker.get(f"{page}/leave").content.decode().replace("\u00a0", " ")
    assert 'id="unsent">1<' in asked
    assert "stay so</dt><dd>3<" in asked
    assert "R$ 1,00" in asked
    assert PayoutBatch.objects.get().status == "RUNNING", "a reading changes nothing"
    assert "Cancelled" in act(checker, page, "cancel")


def text_in(client: Client, page: str, language: str) -> str:
    return client.get(page, headers={"Accept-Language": language}).content.decode().replace("\u00a0", " ")


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
    assert "Rows that cannot be paid: 1" in text
    assert "Line 2, chave: not a valid CPF or CNPJ, nor another Pix key" in text


def test_every_reason_is_told_in_portuguese(maker: Client, shop: Company) -> None:
    """Also what later versions add: every reason in the code is one that has a sentence."""
    payments.create(shop, payments.PaymentOrder("used", 100, pix_key="ana@exemplo.com"))
    upload(maker, HEADER + "elsewhere;ana@exemplo.com;1,00;\n")
    Company.objects.update(payment_limit=5_000)
    wrong = [
        ("", "ana@exemplo.com", "1,00"), ("b", "a@b@c", "1,00"), ("c", "+0", "1,00"), ("d", "nobody", "1,00"),
        ("e", "ana@exemplo.com", "0,00"), ("f", "ana@exemplo.com", "60,00"), ("g", "ana@exemplo.com", "x"),
    ]  # fmt: skip
    rows = "".join(f"{';'.join(row)};{'x' * 141}\n" for row in wrong)
    rows += "".join(f"{reference};ana@exemplo.com;1,00;\n" for reference in ("twice", "twice", "used", "elsewhere"))
    page = upload(maker, HEADER + rows + 'h;ana@exemplo.com;1,00;"a\nb"\n')
    told = set(re.findall(r"<li>Linha \d+, \w+: (.*?)</li>", text_in(maker, page, "pt-BR")))
    for words in (
        "de 1 a 100", "no máximo 140", "não é um e-mail", "não é um telefone", "não é um CPF", "fora do intervalo",
        "limite de um pagamento, R$ 50,00", "não é um valor", "da linha 9", "outro pagamento", "outro lote", "quebra de linha",
    ):  # fmt: skip
        assert any(words in sentence for sentence in told), (words, told)
    with translation.override("en"):
        english = [str(words).partition("%")[0] for _, words in REASONS]
    assert [sentence for sentence in told if sentence.startswith(tuple(english))] == []
    in_code = {
        reason
        for path in Path(batches.__file__).parent.glob("*.py")
        for reason in re.findall(r'(?:wrong\("\w+", f?|Problem\([^)]*?, f?)["\'](.*)["\']\)', path.read_text())
    }
    assert len(in_code) > 5
    assert [said for said in in_code if not any(re.match(pattern, said) for pattern, _ in REASONS)] == []


def test_a_hidden_column_is_refused_and_the_file_says_why(maker: Client) -> None:
    """People would see other keys or values than those that are paid. One that nobody reads may be hidden."""
    rows = spreadsheets.HEADER.replace("</row>", '<c r="D1" t="str"><v>notas</v></c></row>')
    rows += spreadsheets.row(2, "x", "ana@exemplo.com", "1,00", "a")

    def send(first: int, last: int, hidden: str) -> Any:
        hides = f'<cols><col min="{first}" max="{last}" hidden="{hidden}"/></cols>'
        sheet = spreadsheets.sheet(rows).replace("<sheetData>", f"{hides}<sheetData>")
        data = spreadsheets.xlsx("", **{"xl/worksheets/sheet1.xml": sheet})
        return maker.post("/batches", {"file": SimpleUploadedFile("folha.xlsx", data)})

    for first, last, title in ((2, 2, "chave"), (1, 2, "id"), (3, 16_384, "valor")):
        answer = send(first, last, "1")
        assert answer.status_code == 422
        assert f"The column {title} is hidden" in answer.content.decode()
    assert not PayoutBatch.objects.exists()
    assert send(4, 16_384, "1").status_code == 302
    assert send(1, 3, "0").status_code == 302


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
