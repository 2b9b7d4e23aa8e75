"""The main job, as a merchant and a payer see it: create, pay, watch the balance move."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from payments.models import Charge
from payments.services.charges import refunds
from tests.browser.conftest import DESKTOP, PHONE, Person, Platform, assert_never_reloaded, mark, shoot, state
from tests.processes import wait_until

NBSP = "\u00a0"


def create(person: Person, value: str = "150,00", comment: str = "Mesa 4") -> Charge:
    """Create a charge with the form; the page is the charge's then."""
    page = person.page
    page.goto("/charges/new")
    page.fill("#id_value", value)
    page.fill("#id_comment", comment)
    page.fill("#id_customer_name", "Bia Costa")
    page.fill("#id_customer_tax_id", "529.982.247-25")
    page.click("form[data-once] button.primary")
    expect(page.locator("#code")).to_be_visible()
    return Charge.objects.get(public_id=page.url.rsplit("/", 1)[1])


def pay(page: Page) -> None:
    """Follow the page's link to the simulated bank, in another tab, and pay there."""
    with page.context.expect_page() as opened:
        page.click("#pay")
    payer = opened.value
    payer.click("button[name=action][value=pay]")
    payer.wait_for_url("**/paid**")
    payer.close()


@pytest.mark.parametrize(("size", "name"), [(PHONE, "375"), (DESKTOP, "wide")])
def test_a_charge_is_paid_while_the_merchant_watches(
    make_person: Callable[..., Person], open_page: Callable[..., Page], size: dict[str, int], name: str
) -> None:
    person = make_person(size)
    page = person.page
    overview = page.context.new_page()  # a second tab, left alone on the overview
    overview.goto("/")
    state(overview, "live")
    shoot(overview, f"overview-empty-{name}")
    mark(overview)

    create(person)
    state(page, "live")
    mark(page)
    shoot(page, f"charge-waiting-{name}")
    pay(page)

    expect(page.locator("#status")).to_have_text("Paga", timeout=15_000)
    expect(page.locator("#balance")).to_contain_text(f"R${NBSP}148,80")  # less 0.8%
    expect(page.locator("#timeline")).to_contain_text("Paga")
    expect(page.locator("#code")).to_have_count(0)
    assert "Paga" in page.title()
    expect(overview.locator("#available-value")).to_have_text(f"R${NBSP}148,80")
    expect(overview.locator(".badge")).to_have_text("Paga")
    assert_never_reloaded(page)
    assert_never_reloaded(overview)
    shoot(page, f"charge-paid-{name}")
    shoot(overview, f"overview-{name}")


def test_money_goes_back(make_person: Callable[..., Person]) -> None:
    person = make_person(PHONE)
    page = person.page
    create(person)
    pay(page)
    expect(page.locator("#status")).to_have_text("Paga", timeout=15_000)
    page.click("#refund")
    expect(page.locator("#id_comment")).to_be_visible()
    shoot(page, "refund-375")
    page.check("input[value=part]")
    page.fill("#id_value", "50,00")
    page.fill("#id_comment", "Faltou um item")
    page.click("form.card button.primary")
    expect(page.locator("#confirm")).to_be_visible()
    shoot(page, "refund-confirm-375")
    page.click("#confirm")
    mark(page)
    expect(page.locator("#timeline")).to_contain_text("Devolvido ao pagador", timeout=15_000)
    expect(page.locator("#balance")).to_contain_text(f"R${NBSP}98,80")
    assert_never_reloaded(page)
    shoot(page, "charge-refunded-375")


def test_a_return_that_the_bank_has_not_made_yet_is_shown(
    make_person: Callable[..., Person], platform: Platform
) -> None:
    person = make_person()
    page = person.page
    charge = create(person)
    pay(page)
    expect(page.locator("#status")).to_have_text("Paga", timeout=15_000)
    platform.bank.faults(settle_ms=60_000)
    page.goto(f"/charges/{charge.public_id}")
    state(page, "live")
    mark(page)
    refunds.request(person.company, charge, "by the API", 100)
    # Well before the next heartbeat, 25 s after the socket was opened.
    expect(page.locator("#timeline")).to_contain_text("Devolução pedida", timeout=12_000)
    expect(page.locator("#timeline")).not_to_contain_text("Devolvido ao pagador")
    assert_never_reloaded(page)


def test_a_double_click_makes_one_charge(make_person: Callable[..., Person]) -> None:
    person = make_person()
    page = person.page
    page.goto("/charges/new")
    page.fill("#id_value", "10,00")
    page.dblclick("form[data-once] button.primary")
    expect(page.locator("#code")).to_be_visible()
    page.go_back()
    expect(page.locator("#code")).to_be_visible()
    assert Charge.objects.filter(company=person.company).count() == 1


def test_errors_stand_at_their_field_and_keep_what_was_typed(
    make_person: Callable[..., Person], faults: list[str]
) -> None:
    person = make_person(PHONE)
    page = person.page
    page.goto("/charges/new")
    page.fill("#id_value", "12.34")
    page.fill("#id_comment", "Mesa 4")
    page.click("form[data-once] button.primary")
    expect(page.locator("#id_value_error")).to_contain_text("12,34")
    expect(page.locator("#id_comment")).to_have_value("Mesa 4")
    expect(page.locator("#id_value")).to_have_attribute("aria-describedby", "id_value_error")
    shoot(page, "new-charge-error-375")
    assert [fault for fault in faults if "422" not in fault] == []  # Chromium notes the status of the answer
    faults.clear()


def test_the_code_is_copied_and_says_so(make_person: Callable[..., Person]) -> None:
    person = make_person()
    charge = create(person)
    person.page.click("#copy")
    expect(person.page.locator("#copy")).to_have_text("Copiado")
    assert person.page.evaluate("navigator.clipboard.readText()") == charge.br_code
    expect(person.page.locator("#copy")).to_have_text("Copiar código")
    assert int(person.page.locator(".qr").evaluate("image => image.naturalWidth")) > 0
    before = person.page.locator("#countdown").text_content()
    wait_until(lambda: person.page.locator("#countdown").text_content() != before)


def test_that_it_was_copied_is_said_also_when_the_page_is_read_meanwhile(make_person: Callable[..., Person]) -> None:
    person = make_person()
    page = person.page
    charge = create(person)
    state(page, "live")
    page.evaluate(
        "(() => { const real = setTimeout; window.setTimeout = (f, ms) => real(f, ms === 2500 ? 60000 : ms); })()"
    )
    page.click("#copy")
    expect(page.locator("#copy")).to_have_text("Copiado")
    Charge.objects.filter(pk=charge.pk).update(comment="Mesa 5")
    page.evaluate("htmx.trigger('#charge', 'live')")
    expect(page.locator(".charge-comment")).to_have_text("Mesa 5")
    assert page.locator("#copy").text_content() == "Copiado"


def test_a_refresh_keeps_focus_and_scroll(make_person: Callable[..., Person]) -> None:
    person = make_person({"width": 375, "height": 500})
    page = person.page
    create(person)
    state(page, "live")
    page.focus("#copy")
    page.evaluate("scrollTo(0, 300)")
    pay_elsewhere(person)
    expect(page.locator("#balance")).to_contain_text(f"R${NBSP}9,50", timeout=15_000)
    assert page.evaluate("document.activeElement.id") == "copy"
    assert page.evaluate("scrollY") == 300


def pay_elsewhere(person: Person) -> None:
    """Another charge of the company's is paid meanwhile."""
    tab = person.page.context.new_page()
    other = Person(tab, person.company, person.user)
    create(other, "10,00")
    pay(tab)
    tab.close()


def session_cookie(page: Page) -> dict[str, Any]:
    return next(dict(cookie) for cookie in page.context.cookies() if cookie["name"] == "sessionid")


def test_log_out_ends_the_session_everywhere(make_person: Callable[..., Person]) -> None:
    person = make_person()
    page = person.page
    assert session_cookie(page)["httpOnly"]
    second = page.context.new_page()
    second.goto("/charges")
    state(second, "live")
    page.click(".menu summary")
    shoot(page, "menu-wide", full=False)
    page.click("form[action='/logout'] button")
    # It polls, as one navigation may replace another: the page hears of its log-out, too.
    expect(page).to_have_url(re.compile("/login"), timeout=15_000)
    page.go_back()
    expect(page).to_have_url(re.compile("/login"), timeout=15_000)  # nothing was kept to show
    second.reload()
    expect(second).to_have_url(re.compile("/login"), timeout=15_000)
