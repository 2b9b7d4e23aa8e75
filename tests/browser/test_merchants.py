"""A merchant from the sign-up to the first paid charge; and axe-core finds nothing on any page, in both themes."""

from __future__ import annotations

from collections.abc import Callable

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect

from payments.services.charges import receiving
from tests.browser.conftest import DESKTOP, PASSWORD, PHONE, Person, Platform, shoot
from tests.browser.test_journey import pay
from tests.payments import making
from tests.payments.web.test_team import pages

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOURS = ["color-contrast"]
NO_PAGES = ("charges-file", "statement-file", "batch-template", "batch-export", "balance", "bell")


def test_from_the_sign_up_to_the_first_paid_charge(
    open_page: Callable[..., Page], platform: Platform, transactional_db: None
) -> None:
    platform.bank.faults(latency_ms=0)
    page = open_page(PHONE)
    page.goto("/login")
    page.click("text=Criar conta")
    shoot(page, "sign-up-375")
    page.fill("#id_name", "Café Aurora")
    page.fill("#id_email", "ana@aurora.example")
    page.fill("#id_password", PASSWORD)
    page.click("form.card button")
    page.wait_for_url("**/charges/new/**")
    page.fill("#id_value", "150,00")
    page.click("form[data-once] button.primary")
    expect(page.locator("#code")).to_be_visible()
    pay(page)
    expect(page.locator("#status")).to_have_text("Paga", timeout=15_000)
    expect(page.locator("#bell .count")).to_have_text("Novo: 1")
    page.click("#duplicate")
    expect(page.locator("#id_value")).to_have_value("150,00")
    page.click(".bell")
    expect(page.locator(".notice.fresh")).to_contain_text("R$\u00a0150,00")
    page.click("#read")
    expect(page.locator(".notice:not(.fresh)")).to_have_count(1)
    expect(page.locator("#bell .count")).to_have_count(0)
    page.goto("/")
    expect(page.locator("#received-value")).to_have_text("R$\u00a0150,00")
    expect(page.locator("#by-hour rect")).to_have_count(1)
    shoot(page, "first-charge-375")
    page.goto("/statement")
    expect(page.locator(".line")).to_contain_text("+R$\u00a0148,80")


def violations(page: Page, rules: list[str] = RULES) -> set[str]:
    if not page.evaluate("'axe' in window"):  # half a megabyte to read
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate("of => axe.run(of)", {"runOnly": rules, "resultTypes": ["violations"]})["violations"]
    return {f"{rule['id']}: {node['html'][:200]}" for rule in found for node in rule["nodes"]}


def test_no_page_has_a_fault(make_person: Callable[..., Person], faults: list[str]) -> None:
    person = make_person(PHONE, color_scheme="dark", reduced_motion="reduce")  # colours change at once
    page, company = person.page, person.company
    receiving.receive(making.pix(making.charge(company, 10_000)))
    every = {path: name for name, method, path, _, _ in pages(company) if method == "get" and name not in NO_PAGES}
    link = company.charges.latest("id").payment_link_id
    every |= {"/second-factor": "second-factor", f"/pay/{link}": "pay", "/nothing": "not-found"}
    found: dict[str, set[str]] = {}
    for path, name in every.items():
        page.goto(path)
        wrong = violations(page)
        shoot(page, f"all-{name}-375", full=False)
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(DESKTOP)
        if wrong := wrong | violations(page, COLOURS):
            found[path] = wrong
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size(PHONE)
    page.context.clear_cookies()
    for path in ("/login", "/signup", "/password"):
        page.goto(path)
        if wrong := violations(page):
            found[path] = wrong
    assert found == {}
    page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    assert violations(page), "the control: a button without a name"
    assert [fault for fault in faults if "404" not in fault] == []
    faults.clear()
