"""The second factor in a browser: switched on by its secret, asked for at the next log-in, and the forgotten password."""

from __future__ import annotations

import base64
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, Person, shoot
from tests.payments.web.log_in import PASSWORD, phone


def test_a_person_switches_it_on_and_logs_in_with_it(make_person: Callable[..., Person]) -> None:
    person = make_person(PHONE)
    page = person.page
    page.goto("/second-factor")
    assert page.locator("ol img").evaluate("image => image.complete && image.naturalWidth > 0"), "the policy lets it in"
    secret = base64.b32decode(page.inner_text("#secret").replace(" ", "")).hex()
    shoot(page, "second-factor-off")
    page.fill("#id_password", PASSWORD)
    page.fill("#id_code", phone(secret))
    page.click("form.card button")
    expect(page.locator("#codes li")).to_have_count(10)
    recovery = page.locator("#codes li").first.inner_text()
    shoot(page, "recovery-codes")
    page.goto("/second-factor")
    shoot(page, "second-factor-on")
    page.context.clear_cookies()
    page.goto("/login")
    page.fill("#id_username", person.user.email)
    page.fill("#id_password", PASSWORD)
    page.click("form.card button")
    page.wait_for_url("**/login/code")
    page.fill("#id_code", "000000")
    page.click("form.card button")
    expect(page.locator("#id_code_error")).to_be_visible()
    shoot(page, "login-code-wrong")
    page.fill("#id_code", recovery)
    page.click("form.card button")
    page.wait_for_url("**/")
    expect(page.locator("#pulse")).to_be_visible()


def test_the_pages_of_a_forgotten_password(open_page: Callable[..., Page], transactional_db: None) -> None:
    page = open_page(PHONE, locale="pt-BR")
    page.goto("/login")
    page.click("text=Esqueci a senha")
    shoot(page, "password-forgotten")
    page.fill("#id_email", "nobody@example.com")
    page.click("form.card button")
    expect(page.locator("h1")).to_have_text("Veja o seu e-mail")
    page.goto("/password/MQ/x-y")
    expect(page.locator("h1")).to_have_text("Este link não é mais válido")
    shoot(page, "password-link-old")
