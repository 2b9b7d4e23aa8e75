"""The shopper's page: it turns paid while it is open, reads only while it must, and says when it cannot."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from payments.models import Charge, Refund
from payments.services.charges import receiving, refunds
from tests.browser.conftest import DESKTOP, PHONE, Person, assert_never_reloaded, mark, shoot
from tests.browser.test_journey import create
from tests.payments import making

SIZES = [(PHONE, "375"), (DESKTOP, "wide")]


@pytest.fixture
def waiting(transactional_db: None) -> Charge:
    now = timezone.now()
    code = "00020101021226770014br.gov.bcb.pix2555pix.bank.example/qr/v2/cob/6e4a2b5204000053039865802BR6304A1B2"
    company = making.company(trade_name="Café Aurora")
    return making.charge(
        company, 15_000, comment="Mesa 4", br_code=code, created_at=now, expires_at=now + timedelta(hours=1)
    )


def readings(page: Page) -> list[str]:
    """The addresses that the page reads from now on."""
    read: list[str] = []
    page.on("request", lambda request: read.append(request.url) if request.headers.get("hx-request") else None)
    return read


@pytest.mark.parametrize(("size", "name"), SIZES)
def test_a_shopper_pays_and_sees_it(
    make_person: Callable[..., Person], open_page: Callable[..., Page], size: dict[str, int], name: str
) -> None:
    merchant = make_person(size)
    charge = create(merchant)
    merchant.page.click("[data-copy=link]")
    link = merchant.page.evaluate("navigator.clipboard.readText()")
    assert link == merchant.page.input_value("#link")

    page = open_page(size)  # another person's browser
    page.goto(link)
    expect(page.locator(".asked")).to_contain_text("Café Aurora")
    expect(page.locator("#payment")).to_have_attribute("data-state", "open")
    assert int(page.locator(".qr").evaluate("image => image.naturalWidth")) > 0
    page.click("#copy")
    expect(page.locator("#copy")).to_have_text("Copiado")
    assert page.evaluate("navigator.clipboard.readText()") == charge.br_code
    shoot(page, f"pay-open-{name}")
    assert [cookie["name"] for cookie in page.context.cookies()] == ["csrftoken"]  # of the language's form
    mark(page)
    with page.context.expect_page() as opened:
        page.click("#pay")
    bank = opened.value
    bank.click("button[name=action][value=pay]")
    bank.wait_for_url("**/paid**")
    bank.close()

    expect(page.locator("#payment")).to_have_attribute("data-state", "paid", timeout=15_000)
    expect(page.locator("#said")).to_have_text("Pagamento recebido")
    expect(page.locator("#code")).to_have_count(0)
    assert "Pagamento recebido" in page.title()
    assert_never_reloaded(page)
    shoot(page, f"pay-paid-{name}")


def test_it_reads_every_three_seconds_while_seen_and_not_once_it_is_final(
    open_page: Callable[..., Page], waiting: Charge
) -> None:
    page = open_page(PHONE)
    page.clock.install()
    page.goto(f"/pay/{waiting.payment_link_id}")
    read = readings(page)
    with page.expect_response("**?seen=open") as answer:
        page.clock.run_for(3_000)
    assert answer.value.status == 204

    hide(page, True)
    before = len(read)
    page.clock.run_for(60_000)
    assert len(read) == before
    receiving.receive(making.pix(waiting, paid_at=timezone.now()))
    hide(page, False)  # read at once, not after the next three seconds
    expect(page.locator("#payment")).to_have_attribute("data-state", "paid")

    before = len(read)
    page.clock.run_for(60_000)
    assert len(read) == before
    refunded = Charge.objects.get(pk=waiting.pk)
    give_back(refunded, 4_000)
    hide(page, False)  # money may go back: a paid page is read when somebody looks at it again
    expect(page.locator("#payment")).to_have_attribute("data-state", "partly_refunded")
    expect(page.locator("#payment")).to_contain_text("pagou: R$\u00a040,00")
    shoot(page, "pay-partly-refunded-375")
    give_back(refunded, 11_000)
    hide(page, False)
    expect(page.locator("#payment")).to_have_attribute("data-state", "refunded")
    shoot(page, "pay-refunded-375")
    before = len(read)
    hide(page, False)
    assert len(read) == before


def give_back(charge: Charge, value: int) -> None:
    """A return that the bank has confirmed."""
    receiving.receive(making.pix(making.charge(charge.company, 50_000)))  # so that the balance has it
    refund = refunds.request(charge.company, charge, f"r{value}", value, now=charge.paid_at)
    Refund.objects.filter(pk=refund.pk).update(status="CONFIRMED", resolved_at=charge.paid_at)


def hide(page: Page, hidden: bool) -> None:
    """What a browser does when another tab comes before this one. Chromium without a screen never does."""
    page.evaluate(
        """hidden => { Object.defineProperty(document, "hidden", {configurable: true, value: hidden});
                       document.dispatchEvent(new Event("visibilitychange")); }""",
        hidden,
    )


def test_it_says_when_it_cannot_be_read(open_page: Callable[..., Page], waiting: Charge, faults: list[str]) -> None:
    page = open_page(PHONE)
    page.goto(f"/pay/{waiting.payment_link_id}")
    mark(page)
    page.route("**?seen=open", lambda route: route.fulfill(status=502, body="bad gateway"))
    expect(page.locator("#banner")).to_contain_text("No momento não conseguimos ver se o pagamento chegou")
    expect(page.locator("#banner")).to_contain_text("Última leitura às")
    expect(page.locator("#code")).to_have_value(waiting.br_code)
    shoot(page, "pay-unread-375")
    page.unroute("**?seen=open")
    expect(page.locator("#banner")).to_be_hidden()
    page.context.set_offline(True)
    expect(page.locator("#banner")).to_be_visible(timeout=1_000)  # the browser knows, so nobody waits for a reading
    receiving.receive(making.pix(waiting, paid_at=timezone.now()))
    page.context.set_offline(False)
    expect(page.locator("#payment")).to_have_attribute("data-state", "paid")
    expect(page.locator("#banner")).to_be_hidden()
    assert_never_reloaded(page)
    # Chromium and htmx note each request that fails.
    expected = ("502", "net::ERR", "htmx:afterRequest", "htmx:sendError")
    faults[:] = [fault for fault in faults if not any(word in fault for word in expected)]


def test_the_time_runs_out_while_it_is_open(open_page: Callable[..., Page], waiting: Charge) -> None:
    page = open_page(PHONE)
    page.goto(f"/pay/{waiting.payment_link_id}")
    mark(page)
    before = page.locator("#countdown").text_content()
    expect(page.locator("#countdown")).not_to_have_text(before or "")
    Charge.objects.filter(pk=waiting.pk).update(expires_at=timezone.now())
    expect(page.locator("#payment")).to_have_attribute("data-state", "over")
    expect(page.locator("#code")).to_have_count(0)
    Charge.objects.filter(pk=waiting.pk).update(status="EXPIRED")
    expect(page.locator("#payment")).to_have_attribute("data-state", "expired")
    assert_never_reloaded(page)


@pytest.mark.parametrize(("size", "name"), SIZES)
@pytest.mark.parametrize(("language", "theme"), [("pt-BR", "dark"), ("en-US", "light")])
def test_every_state_fits(
    open_page: Callable[..., Page],
    waiting: Charge,
    faults: list[str],
    size: dict[str, int],
    name: str,
    language: str,
    theme: str,
) -> None:
    page = open_page(size, locale=language, color_scheme=theme)
    now = timezone.now()
    for state, changes in {
        "open": {},
        "over": {"expires_at": now},
        "expired": {"status": "EXPIRED"},
        "paid": {"status": "COMPLETED", "paid_at": now},
    }.items():
        Charge.objects.filter(pk=waiting.pk).update(**changes)
        page.goto(f"/pay/{waiting.payment_link_id}")
        expect(page.locator("#payment")).to_have_attribute("data-state", state)
        shoot(page, f"pay-{state}-{language[:2]}-{theme}-{name}")
        small = page.eval_on_selector_all(
            "a, button, textarea", "nodes => nodes.filter(node => node.getBoundingClientRect().height < 44).length"
        )
        assert small == 0
        if size == DESKTOP:
            page.set_viewport_size({"width": 768, "height": 860})
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), state
            page.set_viewport_size(size)  # type: ignore[arg-type]
    page.goto("/pay/nothing")
    shoot(page, f"pay-missing-{language[:2]}-{theme}-{name}")
    faults[:] = [fault for fault in faults if "404" not in fault]


def test_the_language_is_switched_without_a_log_in(open_page: Callable[..., Page], waiting: Charge) -> None:
    page = open_page(PHONE)
    page.goto(f"/pay/{waiting.payment_link_id}")
    expect(page.locator("#copy")).to_have_text("Copiar código")
    page.click("button[name=language][value=en]")
    expect(page.locator("#copy")).to_have_text("Copy the code")
    Charge.objects.filter(pk=waiting.pk).update(expires_at=timezone.now())
    expect(page.locator("#status")).to_have_text("The time to pay is over")  # a part comes in it too
