"""The page says how fresh it is, whatever happens to the connection."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Callable, Iterator

from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect

from payments.services.charges import receiving
from tests.browser.conftest import PHONE, Person, assert_never_reloaded, mark, shoot, state
from tests.payments import making
from woovi import redis

NBSP = "\u00a0"


def credit(person: Person, value: int = 10_000) -> None:
    """A Pix comes in."""
    receiving.receive(making.pix(making.charge(person.company, value)))


def forgive(faults: list[str]) -> None:
    """Chromium itself reports requests that fail while there is no network. Anything else stays a fault."""
    of_the_network = ("net::ERR", "WebSocket connection", "htmx:sendError", "htmx:afterRequest")
    faults[:] = [fault for fault in faults if not any(each in fault for each in of_the_network)]


def watch_toasts(page: Page) -> None:
    """Note what the page tells, once each time that it tells it."""
    page.evaluate("""() => {
        window.told = [];
        const note = (changes) => changes.forEach((change) => change.addedNodes.forEach((node) => told.push(node.textContent)));
        new MutationObserver(note).observe(document.getElementById("toasts"), {childList: true});
    }""")


def told(page: Page) -> list[str]:
    return [text.split(NBSP)[1] for text in page.evaluate("told")]


def test_offline_is_said_and_what_was_missed_is_caught_up(
    make_person: Callable[..., Person], faults: list[str]
) -> None:
    person = make_person(PHONE)
    page = person.page
    state(page, "live")
    mark(page)
    page.context.set_offline(True)
    state(page, "offline")
    expect(page.locator("#banner")).to_contain_text("Você está sem conexão")
    shoot(page, "offline-375", full=False)
    credit(person)
    expect(page.locator("#available-value")).to_have_text(f"R${NBSP}0,00")
    page.context.set_offline(False)
    state(page, "live")
    expect(page.locator("#available-value")).to_have_text(f"R${NBSP}99,20")
    expect(page.locator("#banner")).to_be_hidden()
    assert_never_reloaded(page)
    forgive(faults)


def test_a_lost_socket_is_made_again(make_person: Callable[..., Person], faults: list[str]) -> None:
    person = make_person()
    page = person.page
    blocked: list[bool] = [True]

    # The server side of the socket goes away, and stays away for a while.
    page.context.route_web_socket(
        "**/ws/events?*", lambda ws: ws.close(code=1012) if blocked else ws.connect_to_server()
    )
    page.goto("/")
    mark(page)
    state(page, "reconnecting")
    expect(page.locator("#pulse")).to_contain_text("Reconectando")
    shoot(page, "reconnecting-wide", full=False)
    credit(person)
    blocked.clear()
    state(page, "live", 30)
    expect(page.locator("#available-value")).to_have_text(f"R${NBSP}99,20")
    assert_never_reloaded(page)
    forgive(faults)


def test_a_server_that_fails_makes_the_page_stale_and_then_live_again(
    make_person: Callable[..., Person], faults: list[str]
) -> None:
    person = make_person(PHONE)
    page = person.page
    state(page, "live")
    page.route("**/", lambda route: route.fulfill(status=502, body="bad gateway"))
    credit(person)
    state(page, "stale")
    expect(page.locator("#banner")).to_contain_text("Última leitura às")
    shoot(page, "stale-375", full=False)
    page.unroute("**/")
    state(page, "live", 30)
    expect(page.locator("#available-value")).to_have_text(f"R${NBSP}99,20")
    faults[:] = [fault for fault in faults if "502" not in fault]


def test_a_session_that_ended_leads_to_the_log_in(make_person: Callable[..., Person], faults: list[str]) -> None:
    person = make_person()
    state(person.page, "live")
    Session.objects.all().delete()
    credit(person)  # the wake-up makes the page read, and the server knows it no more
    # Polled: each part of the page that is refused goes there, and the last of them aborts the others.
    expect(person.page).to_have_url(re.compile("/login"), timeout=15_000)
    faults[:] = [fault for fault in faults if "401" not in fault]


def test_a_burst_of_news_is_a_few_readings(make_person: Callable[..., Person]) -> None:
    person = make_person()
    page = person.page
    state(page, "live")
    read: list[str] = []
    page.on("request", lambda request: read.append(request.url) if request.headers.get("hx-request") else None)
    for _ in range(30):
        credit(person, 1_000)
    expect(page.locator("#available-value")).to_have_text(f"R${NBSP}285,00", timeout=15_000)
    assert 1 <= len(read) < 15


def test_payments_are_told_once_and_in_order_after_an_outage(
    make_person: Callable[..., Person], faults: list[str]
) -> None:
    person = make_person()
    page = person.page
    state(page, "live")
    watch_toasts(page)
    credit(person, 1_000)
    expect(page.locator("#toasts")).to_contain_text("Pagamento recebido")
    page.context.set_offline(True)
    state(page, "offline")
    for value in (2_000, 3_000, 4_000):
        credit(person, value)
    page.context.set_offline(False)
    state(page, "live")
    expect(page.locator("#toasts")).to_contain_text("40,00")
    shoot(page, "toasts-wide", full=False)
    assert told(page) == ["10,00", "20,00", "30,00", "40,00"]
    rows = page.locator("#overview .rows .row-money")  # read after the toasts, which the socket itself brings
    expect(rows).to_have_count(4)
    assert [row.split(NBSP)[1] for row in rows.all_inner_texts()] == ["40,00", "30,00", "20,00", "10,00"]
    forgive(faults)


def test_a_socket_lost_again_and_again_tells_each_payment_once(
    make_person: Callable[..., Person], faults: list[str]
) -> None:
    person = make_person(PHONE)
    page = person.page
    state(page, "live")
    watch_toasts(page)
    for value in range(1_000, 9_000, 1_000):
        page.context.set_offline(value % 2_000 == 0)
        credit(person, value)
    page.context.set_offline(False)
    state(page, "live", 30)
    expect(page.locator("#available-value")).to_have_text(f"R${NBSP}355,80", timeout=30_000)
    page.wait_for_function("told.length >= 8")
    shoot(page, "toasts-375", full=False)
    assert told(page) == [f"{n}0,00" for n in range(1, 9)]
    forgive(faults)


@contextlib.contextmanager
def redis_frozen() -> Iterator[None]:
    """As a machine that hangs: it takes connections and says nothing."""
    pid = redis.client("channels").info()["process_id"]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_page_never_says_live_while_its_server_is_deaf(make_person: Callable[..., Person]) -> None:
    person = make_person()
    page = person.page
    state(page, "live")
    mark(page)
    with redis_frozen():
        state(page, "slow", 6)
        expect(page.locator("#pulse")).to_have_text("Ao vivo, com atraso")
        shoot(page, "slow-wide", full=False)
        credit(person)
        expect(page.locator("#available-value")).to_have_text(f"R${NBSP}99,20", timeout=12_000)
        assert page.get_attribute("#pulse", "data-state") in {"slow", "catching"}
    state(page, "live")
    assert_never_reloaded(page)
