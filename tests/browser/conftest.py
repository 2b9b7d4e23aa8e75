"""The whole platform as it runs, and a real Chromium in front of it.

The web server, the outbox relay, a Celery worker and the simulated bank are processes of their own on the test's
database. Every page is watched: an error in the console or a breach of the content policy fails its test.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from django.db import close_old_connections
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from payments.models import Company, User
from tests import chromium
from tests.bank_process import BankProcess
from tests.payments import making
from tests.processes import ROOT, Process, free_port

ARTIFACTS = ROOT / "tests" / "artifacts"
PASSWORD = "correct horse battery"
FLAGS = [
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE, DESKTOP = {"width": 375, "height": 812}, {"width": 1280, "height": 860}


class Platform(NamedTuple):
    url: str
    bank: BankProcess


class Person(NamedTuple):
    """A merchant in front of a browser."""

    page: Page
    company: Company
    user: User


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    # Playwright's loop lives in this thread, so Django must be told that these are no asynchronous tests.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium.find(), args=FLAGS) as browser,
    ):
        yield browser
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="package")  # no longer: a relay left running would carry other tests' events
def platform(_bank_server: BankProcess) -> Iterator[Platform]:
    """The processes that `manage.py up` starts, on free ports."""
    _bank_server.faults()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    env = {"PUBLIC_URL": url, "BANK_URL": _bank_server.url}
    with (
        Process(
            "-m",
            "uvicorn",
            "woovi.asgi:application",
            "--ws",
            "woovi.http.websocket:WebSocket",
            "--port",
            str(port),
            **env,
        ) as web,
        Process("manage.py", "relay", "--no-jobs", **env) as relay,
        Process(
            "-m",
            "celery",
            "-A",
            "woovi",
            "worker",
            "--queues",
            "webhooks,bank",
            "--pool",
            "threads",
            "--concurrency",
            "2",
            "--loglevel",
            "INFO",
            **env,
        ) as worker,
    ):
        web.wait_for("Uvicorn running")
        relay.wait_for("waiting for events")
        worker.wait_for("ready")
        yield Platform(url, _bank_server)
    _bank_server.forget_callbacks()


@pytest.fixture
def faults() -> list[str]:
    """What the console and the network complained about; a test that expects something takes it out."""
    return []


@pytest.fixture
def open_page(
    browser: Browser, platform: Platform, faults: list[str], request: pytest.FixtureRequest, transactional_db: None
) -> Iterator[Callable[..., Page]]:
    """Open a page in a fresh browser profile, watched. It is closed before the database is emptied, its session with it."""
    contexts: list[BrowserContext] = []

    def open_page(size: dict[str, int] = DESKTOP, **options: Any) -> Page:
        context = browser.new_context(viewport=size, base_url=platform.url, **{"locale": "pt-BR", **options})  # type: ignore[arg-type]
        context.set_default_timeout(15_000)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        contexts.append(context)
        context.on("console", lambda message: _note(message, faults))
        context.on("weberror", lambda error: faults.append(str(error.error)))
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()
    close_old_connections()
    assert faults == []


def _note(message: ConsoleMessage, faults: list[str]) -> None:
    if message.type in {"error", "warning"}:
        faults.append(message.text)


@pytest.fixture
def make_person(transactional_db: None, platform: Platform, open_page: Callable[..., Page]) -> Callable[..., Person]:
    """A company with a merchant, logged in at the given size."""
    platform.bank.faults(latency_ms=0)

    def make(size: dict[str, int] = DESKTOP, **options: Any) -> Person:
        company = making.company()
        company.trade_name = "Café Aurora"
        company.save()
        user = User.objects.create_user(f"ana{company.pk}@aurora.example", PASSWORD, company=company)
        page = open_page(size, **options)
        page.goto("/login")
        page.fill("#id_username", user.email)
        page.fill("#id_password", PASSWORD)
        page.click("form.card button")
        page.wait_for_url("**/")
        return Person(page, company, user)

    return make


def state(page: Page, expected: str, seconds: float = 15) -> None:
    """Wait until the header says how fresh the page is."""
    page.wait_for_selector(f'#pulse[data-state="{expected}"]', timeout=seconds * 1000)


def mark(page: Page) -> None:
    """Leave a mark that a reload would wipe off."""
    page.evaluate("window.neverReloaded = true")


def assert_never_reloaded(page: Page) -> None:
    assert page.evaluate("window.neverReloaded") is True


def shoot(page: Page, name: str, full: bool = True) -> None:
    """Check that nothing stands out of the screen. With PICTURES=1 keep a picture, which costs a tenth of a second of CPU."""
    page.wait_for_load_state()  # a new document has no root element at first
    if "PICTURES" in os.environ:
        ARTIFACTS.mkdir(exist_ok=True)
        path = ARTIFACTS / f"{re.sub(r'[^a-z0-9-]', '-', name)}.png"
        # Hiding the caret, which is the default, would inject a style that the content policy refuses.
        page.screenshot(caret="initial", path=path, full_page=full)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} scrolls sideways"
