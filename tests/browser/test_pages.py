"""Every page, in both languages and sizes, light and dark: opens cleanly, fits, and leaves a picture to look at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from payments.models import Charge, Company, User
from payments.services.charges import receiving
from tests.browser.conftest import DESKTOP, PASSWORD, PHONE, Person, shoot, state
from tests.payments import making

NAMES = ["Ana Souza", "Bruno Lima", "Padaria Estrela", "Carla Dias", "Oficina do Pedro", ""]


def fill(company: Company) -> dict[str, Charge]:
    """A morning's charges, one of each state returned."""
    now, shown = timezone.now(), {}
    for number in range(30):
        at = now - timedelta(minutes=11 * (30 - number))
        name = NAMES[number % 6]
        charge = making.charge(
            company,
            1_990 + number * 1_273,
            correlation_id=f"pedido-{4180 + number}",
            comment="Pedido na loja",
            customer={"name": name, "taxID": making.BIA} if name else None,
            created_at=at,
            expires_at=at + timedelta(days=1),
            br_code="00020101021226770014br.gov.bcb.pix2555pix.bank.example/qr/v2/cob/6e4a2b5204000053039865802BR6304A1B2",
        )
        if number % 3 < 2 and number < 29:
            paid_at = at + timedelta(seconds=40)
            receiving.receive(making.pix(charge, paid_at=paid_at, payer_name="Ana Souza"), paid_at)
        elif number < 20:
            Charge.objects.filter(pk=charge.pk).update(status="EXPIRED", expires_at=at + timedelta(minutes=10))
        charge.refresh_from_db()
        shown[charge.status] = charge
    return shown


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["375", "wide"])
@pytest.mark.parametrize(("language", "theme"), [("pt-BR", "light"), ("en-US", "light"), ("pt-BR", "dark")])
def test_main_pages(make_person: Callable[..., Person], size: dict[str, int], language: str, theme: Any) -> None:
    person = make_person(size, locale=language, color_scheme=theme)
    page, name = person.page, f"{language[:2]}-{theme}-{size['width']}"
    charges = fill(person.company)
    for path, shot in (
        ("/", "overview"),
        ("/charges", "charges"),
        ("/charges?q=nothing", "charges-none"),
        ("/charges/new", "new-charge"),
        *((f"/charges/{charge.public_id}", f"charge-{status}") for status, charge in charges.items()),
        (f"/charges/{charges['COMPLETED'].public_id}/refund", "refund"),
    ):
        page.goto(path)
        state(page, "live")
        shoot(page, f"{shot.lower()}-{name}", full=shot not in {"overview", "charges"})


def test_targets_are_large_enough_for_thumbs(make_person: Callable[..., Person]) -> None:
    person = make_person(PHONE)
    charges = fill(person.company)
    for path in ("/", "/charges", "/charges/new", f"/charges/{charges['ACTIVE'].public_id}"):
        person.page.goto(path)
        small = person.page.eval_on_selector_all(
            "a:not(.skip), button, summary, select, input:not([type=hidden]), textarea",
            """nodes => nodes.filter(node => node.checkVisibility() && node.getBoundingClientRect().height < 44)
                        .map(node => node.outerHTML)""",
        )
        assert small == [], path


def test_the_keyboard_reaches_everything_visibly(make_person: Callable[..., Person]) -> None:
    page = make_person().page
    seen = []
    for _ in range(8):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("getComputedStyle(document.activeElement).outlineStyle"))
    assert set(seen) == {"solid"}


def test_the_menu_closes_behind_the_keyboard(make_person: Callable[..., Person]) -> None:
    page = make_person().page
    page.focus(".menu summary")
    page.keyboard.press("Enter")
    expect(page.locator(".menu[open]")).to_be_visible()
    for _ in range(page.locator(".menu-in :is(a, button)").count()):
        page.keyboard.press("Tab")
        expect(page.locator(".menu[open] :focus")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator(".menu[open]")).to_have_count(0)


def test_a_button_keeps_its_words_while_its_form_is_sent(make_person: Callable[..., Person]) -> None:
    page = make_person().page
    page.goto("/qr-codes/new")
    shown = page.eval_on_selector(
        "form[data-once] button.primary",
        """button => { button.form.addEventListener("submit", (event) => event.preventDefault()); button.click();
                       return [button.getAttribute("aria-busy"), button.textContent]; }""",
    )
    assert shown == ["true", "Criar o QR Code"]


def test_outer_pages(open_page: Callable[..., Page], transactional_db: None, faults: list[str]) -> None:
    for language, size in (("pt-BR", PHONE), ("en-US", DESKTOP)):
        page = open_page(size, locale=language)
        page.goto("/login")
        shoot(page, f"login-{language[:2]}-{size['width']}")
        page.fill("#id_username", "nobody@example.com")
        page.fill("#id_password", "wrong")
        page.click("form.card button")
        expect(page.locator(".note.error:visible")).to_be_visible()
        shoot(page, f"login-wrong-{language[:2]}-{size['width']}")
        page.goto("/nothing")
        shoot(page, f"not-found-{language[:2]}-{size['width']}")
        page.context.clear_cookies()
        page.goto("/login")
        page.context.clear_cookies()
        with page.expect_navigation():
            page.click("form.card button")
        shoot(page, f"csrf-{language[:2]}-{size['width']}")
    assert {fault for fault in faults if "404" not in fault and "403" not in fault} == set()
    faults.clear()


def test_the_language_is_switched_and_kept(make_person: Callable[..., Person]) -> None:
    page = make_person(PHONE).page
    expect(page.locator("h2").first).to_have_text("Disponível")
    page.click(".menu summary")
    shoot(page, "menu-375", full=False)
    page.click("button[name=language][value=en]")
    expect(page.locator("h2").first).to_have_text("Available")
    page.goto("/charges")
    expect(page.locator("h1")).to_have_text("Charges")


def test_the_admin_works_under_the_content_policy(
    make_person: Callable[..., Person], open_page: Callable[..., Page]
) -> None:
    company = make_person().company
    fill(company)
    User.objects.create_superuser("op@example.com", PASSWORD)
    page = open_page(locale="en-US")
    page.goto("/login")
    page.fill("#id_username", "op@example.com")
    page.fill("#id_password", PASSWORD)
    page.click("form.card button")
    page.wait_for_url("**/admin/")
    shoot(page, "admin-index")
    page.click("a[href='/admin/payments/charge/']")
    page.wait_for_url("**/charge/")
    shoot(page, "admin-charges", full=False)
    page.goto("/admin/payments/account/")
    page.locator("tr", has_text="merchant").locator("a", has_text="Entries").click()
    page.wait_for_url("**/entry/**")
    shoot(page, "admin-entries", full=False)
    page.locator("td.field-transaction_link a").first.click()
    page.wait_for_url("**/ledgertransaction/**")
    shoot(page, "admin-transaction", full=False)
    page.goto("/admin/payments/application/add/")
    page.click(".select2-selection")
    page.click(".select2-results__option")
    page.fill("#id_name", "shop")
    page.click("input[name=_save]")
    expect(page.locator("#app-id")).to_be_visible()
    shoot(page, "admin-app-id", full=False)
