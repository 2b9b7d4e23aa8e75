"""The operators' page of locks: who holds, who waits, and taking a row away, at a desk and on a phone."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connections
from playwright.sync_api import Page, expect

from payments.models import Refund, User
from payments.services.charges import receiving, refunds
from tests.browser.conftest import DESKTOP, PASSWORD, PHONE, Platform, shoot
from tests.payments import making
from tests.processes import wait_until
from woovi.locks import Lock, StaleFence, metrics
from woovi.locks.holders import current, look

LABEL = "payments.refund"


@pytest.fixture
def opened(transactional_db: None, platform: Platform) -> list[Refund]:
    """Refunds that the platform's worker is done with: the bank knows nothing of their Pix."""
    shop = making.company()
    made = []
    for number in range(3):
        charge = making.charge(shop, 10_000)
        receiving.receive(making.pix(charge))
        charge.refresh_from_db()
        made.append(refunds.request(shop, charge, f"devolucao-{4180 + number}", 3_000, now=charge.paid_at))
    wait_until(lambda: not Refund.objects.filter(status="IN_PROCESSING").exists() and not current())
    return made


@pytest.fixture
def waiting(opened: list[Refund]) -> Iterator[None]:
    """Two that wait for the first."""

    def wait() -> None:
        try:
            Lock((LABEL, opened[0].pk), timeout=60).acquire().release()
        finally:
            connections.close_all()

    with Lock((LABEL, opened[0].pk), lease=600):
        threads = [threading.Thread(target=wait) for _ in range(2)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(look(LABEL, opened[0].pk).waiting) == 2)  # type: ignore[union-attr]
        yield
    for thread in threads:
        thread.join(20)


def log_in(page: Page) -> None:
    User.objects.create_superuser("op@example.com", PASSWORD)
    page.goto("/admin/login/?next=/admin/payments/rowlock/")
    page.fill("#id_username", "op@example.com")
    page.fill("#id_password", PASSWORD)
    page.click("form.card button")
    # On a busy machine Redis may answer too late, and the page says that.
    wait_until(lambda: page.locator("#held").count() or not page.reload())


@pytest.mark.parametrize(
    ("size", "language", "theme"),
    [(PHONE, "pt-BR", "light"), (DESKTOP, "pt-BR", "light"), (PHONE, "en-US", "dark"), (DESKTOP, "en-US", "dark")],
    ids=["375-pt", "wide-pt", "375-en", "wide-en"],
)
def test_who_holds_and_who_waits(
    open_page: Callable[..., Page], opened: list[Refund], waiting: None, size: Any, language: str, theme: Any
) -> None:
    name = f"{language[:2]}-{size['width']}"
    for what in ("stale", "lost", "refused"):
        metrics.count([LABEL], what)
    held = ((LABEL, opened[1].pk), ("payments.charge", opened[1].charge_id), ("report", "month"))
    with contextlib.ExitStack() as locks:
        for row in held:
            locks.enter_context(Lock(row, lease=600))
        metrics.write()
        page = open_page(size, locale=language, color_scheme=theme)
        log_in(page)
        expect(page.locator("#held tbody tr")).to_have_count(4)
        expect(page.locator("#held tbody tr").first).to_contain_text("devolucao-4180")
        expect(page.locator("#held li")).to_have_count(2)
        expect(page.locator("#counts")).to_contain_text("refund" if language == "en-US" else "devolução")
        shoot(page, f"locks-{name}")
        page.locator("#held .button").first.click()
        expect(page.locator("#id_reason")).to_be_visible()
        shoot(page, f"lock-release-{name}")


def test_nothing_is_locked(open_page: Callable[..., Page], opened: list[Refund]) -> None:
    page = open_page(PHONE)
    log_in(page)
    expect(page.locator("#held")).to_contain_text("Nenhuma linha está travada.")
    shoot(page, "locks-none-375")


def test_an_operator_takes_a_row_from_one_that_hangs(open_page: Callable[..., Page], opened: list[Refund]) -> None:
    page = open_page(PHONE)
    with Refund.objects.lock_rows(pk=opened[0].pk, timeout=20) as hanging:
        log_in(page)
        page.locator("#held .button").first.click()
        page.locator("form.reason input[type=submit]").click()  # without a reason the browser does not send it
        assert look(LABEL, opened[0].pk)
        page.fill("#id_reason", "o processo parou")
        page.locator("form.reason input[type=submit]").click()
        expect(page.locator(".messagelist")).to_contain_text("A linha está livre.")
        shoot(page, "lock-released-375")
        with pytest.raises(StaleFence), hanging.write():
            raise AssertionError
    page.goto(f"/admin/payments/refund/{opened[0].pk}/history/")
    expect(page.locator("#change-history")).to_contain_text("o processo parou")
