"""The operators' own pages fit a desk and a phone, in both languages and themes, and every fact is marked by more than colour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from payments.models import Account, BankDifference, Charge, Payment, Proposal, ReceivedPix, User
from tests.browser.conftest import PASSWORD, PHONE, shoot
from tests.browser.test_merchants import violations
from tests.payments import making
from tests.payments.admin.test_admin import world
from woovi.ratelimit import Ask, Subject, seen, store, take

DESK = {"width": 1200, "height": 860}


def log_in(page: Page, to: str = "/admin/") -> None:
    User.objects.create_superuser("op@example.com", PASSWORD)
    page.goto(f"/admin/login/?next={to}")
    page.fill("#id_username", "op@example.com")
    page.fill("#id_password", PASSWORD)
    page.click("form.card button")


def act(page: Page, action: str) -> None:
    """Choose the first row of a list, and an action."""
    page.locator("input.action-select").first.check()
    page.select_option("select[name=action]", action)
    page.click("#changelist button[name=index]")


def faultless(page: Page, faults: list[str], *paths: str) -> None:
    """axe-core finds nothing, and the content policy refuses nothing but what axe itself adds."""
    for path in paths:
        page.goto(path)
        page.wait_for_load_state("networkidle")
        assert faults == [], path
        assert violations(page) == set(), path
        faults.clear()


def own_forms(page: Page, one: dict[type, Any], name: str) -> None:
    """An adjustment, a switch that is off, and who is limited now."""
    page.goto(f"/admin/payments/account/?q={one[Account].public_id}")
    act(page, "adjust")
    expect(page.locator("input[name=direction]")).to_have_count(2)
    shoot(page, f"admin-adjust-{name}")
    page.goto("/admin/payments/switch/")
    webhooks = page.locator("tr", has=page.locator("input[value=webhooks]"))
    webhooks.locator("input[name=reason]").fill("The bank's network is down, its callbacks come twice")
    webhooks.locator("button").click()
    expect(page.locator("tr.bad")).to_have_count(1)
    shoot(page, f"admin-switches-{name}")
    asked = Ask(store.shipped()["login.account"], Subject("account", "ana@example.com"))
    while take(asked).allowed:
        pass
    seen.flush()
    page.goto("/admin/ratelimit/limitpolicy/now/")
    expect(page.locator("#limited button").first).to_be_visible()
    shoot(page, f"admin-limited-{name}")
    page.goto("/admin/ratelimit/limitpolicy/add/?name=api.company&key=company&limit=100&per=60")
    expect(page.locator("#id_reason")).to_be_visible()
    shoot(page, f"admin-limit-{name}")


@pytest.mark.parametrize(
    ("size", "language", "theme"),
    [(PHONE, "pt-BR", "dark"), (DESK, "en-US", "light")],
    ids=["375-pt-dark", "wide-en-light"],
)
def test_the_operators_own_pages(
    open_page: Callable[..., Page], transactional_db: None, size: Any, language: str, theme: Any, faults: list[str]
) -> None:
    one = world(making.company())
    Payment.objects.update(unknown_since=timezone.now())
    BankDifference.objects.create(day="2026-03-02", kind="MISSING_HERE", bank_value=500, our_value=0)
    page = open_page(size, locale=language, color_scheme=theme)
    name = f"{size['width']}-{language}-{theme}"
    log_in(page)
    expect(page.locator(".tiles .bad")).to_have_count(
        4
    )  # a payment, a difference, and twice that the books were never proved
    expect(page.locator("#content-main")).to_be_visible()
    shoot(page, f"admin-first-{name}")
    page.locator(".tiles .bad a").last.click()
    expect(page.locator("#verdict")).to_be_visible()
    shoot(page, f"admin-health-{name}")
    page.fill("#everywhere", one[Charge].txid[:8])
    page.press("#everywhere", "Enter")
    expect(page.locator("#content td a").first).to_be_visible()
    shoot(page, f"admin-search-{name}")
    page.goto("/admin/payments/proposal/")
    expect(page.locator("#result_list")).to_contain_text("R$")
    shoot(page, f"admin-proposals-{name}")
    page.goto(f"/admin/payments/proposal/{one[Proposal].pk}/change/")
    shoot(page, f"admin-proposal-{name}")
    page.goto("/admin/payments/charge/?created_at_from=2026-01-01")
    expect(page.locator("#total")).to_be_visible()
    shoot(page, f"admin-charges-{name}")
    page.goto("/admin/ratelimit/limitpolicy/now/")
    shoot(page, f"admin-limited-{name}")
    page.goto(f"/admin/payments/receivedpix/{one[ReceivedPix].pk}/history/")
    shoot(page, f"admin-history-{name}")
    own_forms(page, one, name)
    faultless(page, faults, "/admin/", "/admin/health/", "/admin/payments/switch/", "/admin/ratelimit/limitpolicy/now/")
    page.goto("/admin/payments/company/")
    page.locator("input.action-select").first.check()
    page.select_option("select[name=action]", "freeze")
    page.click("#changelist button[name=index]")
    expect(page.locator("input[name=kinds]")).to_have_count(3)
    shoot(page, f"admin-freeze-{name}")
