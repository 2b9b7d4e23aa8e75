"""The operators' page of caches, on a desk and in a hand."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from payments.models import User
from tests.browser.conftest import DESKTOP, PASSWORD, Platform, shoot

HAND = {"width": 375, "height": 720}


def test_an_operator_looks_at_caches_and_drops_a_token(
    transactional_db: None, platform: Platform, open_page: Callable[..., Page]
) -> None:
    operator = User.objects.create_superuser("operator@woovi.example", PASSWORD)
    page = open_page()
    page.goto("/admin/")
    page.fill("#id_username", operator.email)
    page.fill("#id_password", PASSWORD)
    page.click("form.card button")
    for size in (DESKTOP, HAND):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.goto("/admin/payments/cache/")
        shoot(page, f"admin-caches-{size['width']}")
        page.click("a[href='/admin/payments/cache/balance/change/']")
        shoot(page, f"admin-cache-balance-{size['width']}")
        page.goto("/admin/payments/cache/bank.token/change/")
        shoot(page, f"admin-cache-token-{size['width']}")
    page.click("form:has(input[value=token]) input[type=submit]")
    expect(page.locator(".messagelist .success")).to_have_text("Descartado.")
    shoot(page, "admin-cache-dropped")
