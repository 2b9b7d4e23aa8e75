"""A file of payouts on the merchant's pages: one person uploads it, another approves it, both see it being paid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from payments.models import PayoutBatch, User
from payments.services import batches
from payments.services.charges import receiving
from tests.browser.conftest import PASSWORD, Person, assert_never_reloaded, mark, shoot, state
from tests.payments import making
from tests.payments.batches.conftest import HEADER, BankInProcess, csv_of, quick_bank
from tests.payments.web.log_in import Owner

__all__ = ["quick_bank"]
SIZES = (375, 1200)
WRONG = HEADER + "a;ninguem;1,00;\nb;ana@exemplo.com;12.34;\n" + "c;ana@exemplo.com;1,00;\n" * 2


def upload(page: Page, name: str, text: str) -> None:
    page.goto("/batches")
    page.set_input_files("#id_file", {"name": name, "mimeType": "text/csv", "buffer": text.encode()})
    page.click("form.card button.primary")
    page.wait_for_url("**/batches/*")


def shots(page: Page, name: str) -> None:
    for width in SIZES:
        page.set_viewport_size({"width": width, "height": 860})
        shoot(page, f"payouts-{name}-{width}")


@pytest.fixture
def maker(make_person: Callable[..., Person]) -> Person:
    person = make_person()
    receiving.receive(making.pix(pix_key=person.company.pix_key, value=10_000))
    return person


@pytest.fixture
def phone(maker: Person) -> Owner:
    """The checker's second factor."""
    return Owner(User.objects.create_user("bia@aurora.example", PASSWORD, company=maker.company))


@pytest.fixture
def checker(phone: Owner, open_page: Callable[..., Page]) -> Page:
    page = open_page()
    page.goto("/login")
    page.fill("#id_username", "bia@aurora.example")
    page.fill("#id_password", PASSWORD)
    page.click("form.card button")
    page.fill("#id_code", phone.recovery[0])
    page.click("form.card button")
    page.wait_for_url("**/")
    return page


def test_wrong_rows_are_named_and_nothing_can_be_sent(maker: Person) -> None:
    page = maker.page
    page.goto("/batches")
    shots(page, "none")
    upload(page, "errada.csv", WRONG)
    told = page.locator(".note.error li").all_inner_texts()
    assert [line.partition(":")[0] for line in told] == ["Linha 2, chave", "Linha 3, valor", "Linha 5, identificador"]
    assert page.locator("button.primary").count() == 0
    shots(page, "wrong")


def test_one_uploads_another_approves_and_both_watch(
    maker: Person, checker: Page, phone: Owner, quick_bank: BankInProcess, tmp_path: Path
) -> None:
    page = maker.page
    upload(page, "folha-de-novembro.csv", csv_of(40, bad=1))
    shots(page, "valid")
    page.click("button.primary")
    expect(page.locator("#batch .actions .quiet")).to_be_visible()
    assert page.locator("#batch button.primary").count() == 0, "who uploaded it cannot approve it"
    state(page, "live")
    mark(page)

    checker.goto(page.url)
    shots(checker, "to-approve")
    checker.fill("#id_code", phone.recovery[1])
    checker.click("#approve")
    expect(checker.locator("#waiting")).to_be_visible()
    batch = PayoutBatch.objects.get()
    assert (batch.status, batch.approver) == ("RUNNING", User.objects.get(email="bia@aurora.example"))
    expect(page.locator("#waiting")).to_have_text("40")

    while batches.pay(batch.pk):
        pass

    for watching in (page, checker):
        expect(watching.locator("#confirmed")).to_have_text("39")
        expect(watching.locator("#failed")).to_have_text("1")
    assert_never_reloaded(page)
    shots(page, "paid-in-part")
    with page.expect_download() as download:
        page.click("a.button[href$='result.csv']")
    download.value.save_as(tmp_path / "result.csv")
    lines = (tmp_path / "result.csv").read_text().splitlines()
    assert len(lines) == 41
    assert (sum("CONFIRMED" in line for line in lines), sum("AC06" in line for line in lines)) == (39, 1)
    page.goto("/batches")
    shots(page, "list")
