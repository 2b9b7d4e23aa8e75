"""What a page costs: bytes over the wire at a first and a second visit, queries, and time on the server. Writes docs/web.md.

Bytes are what Chromium received of the running platform: the page, its styles, scripts and pictures. Queries and time are
Django's alone, without a network: queries with a few rows in every list, and with full lists, since a page that asks once
a row would show in the difference.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from benchmarks.report import Row
from payments.models import Company, User
from tests import chromium
from tests.payments import making
from tests.payments.admin.test_admin import world
from tests.screenshots import album, sample, walk
from tests.screenshots.walk import Place
from woovi.local import running

PAGE = Path(__file__).parents[1] / "docs" / "web.md"
ROUNDS = 5
MOST = 100_000  # bytes of a page that nobody has visited before
FULL = 60  # more rows in every list
KIND = re.compile(r"admin:\w+_(changelist|change|add|history|delete)$")
WORDS = {"changelist": "a list", "change": "a record", "add": "a form", "history": "a history", "delete": "a deletion"}


@dataclass
class Cost:
    """Of one page."""

    first: int = 0  # bytes
    again: int = 0
    few: int = 0  # queries
    full: int = 0
    milliseconds: float = 0
    length: int = 0  # bytes of its HTML


def run() -> list[Row]:
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright's loop is this thread's
    with running.started(Path(os.environ["WOOVI_DATA_DIR"]), PORT="0") as system, sync_playwright() as playwright:
        settings.BANK_URL = system["bank"]
        demo = sample.company()
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=["--no-sandbox", "--disable-gpu"])
        known = {who: album.log_in(browser, system, who, "pt-BR") for who in ("nobody", "merchant", "operator")}
        clients = {who: _client(system[who]["user"]) for who in ("merchant", "operator")}
        costs = {place: Cost() for place in walk.places(demo, known)[0]}
        for place, cost in costs.items():
            cost.few = _queries(clients.get(place.who), place.path)
        _more(demo)
        for place, cost in costs.items():
            cost.full = _queries(clients.get(place.who), place.path)
            cost.milliseconds, cost.length = _time(clients.get(place.who), place.path)
        longest = {_row_of(place): place for place in sorted(costs, key=lambda place: costs[place].length)}
        for place in longest.values():
            costs[place].first, costs[place].again = _weigh(browser, known[place.who], system["web"], place.path)
        browser.close()
    rows = _rows(costs)
    PAGE.write_text(_document(rows))
    dashboard = rows["web:dashboard"]
    heaviest = max(cost.first for name, cost in rows.items() if name.startswith("web:"))
    grown = sum(max(0, cost.full - cost.few) for cost in rows.values())
    return [
        _goal("merchants' first page, first visit", "kB", dashboard.first / 1000, MOST / 1000),
        _goal("heaviest page of merchants, shoppers and the help, first visit", "kB", heaviest / 1000, MOST / 1000),
        _goal("operators' first page, first visit", "kB", rows["operations:dashboard"].first / 1000, MOST / 1000),
        Row("merchants' first page, second visit", "kB", dashboard.again / 1000),
        _goal("queries that full lists add, all pages together", "queries", grown, 0),
        Row("most queries of a page", "queries", max(cost.full for cost in rows.values())),
    ]


def _goal(figure: str, unit: str, ours: float, most: float) -> Row:
    return Row(figure, unit, ours, goal=f"at most {most:g}", met=ours <= most)


def _client(email: str | None = None) -> Client:
    client = Client(SERVER_NAME="127.0.0.1", headers={"Accept-Language": "pt-BR"})
    if email:
        client.force_login(User.objects.get(email=email))
    return client


def _queries(client: Client | None, path: str) -> int:
    """`client`: None for nobody's, who comes to each page without a session."""
    client = client or _client()
    client.get(path, follow=True)  # what is cached for good is not counted
    with CaptureQueriesContext(connection) as asked:
        client.get(path, follow=True)
    return len(asked)


def _time(client: Client | None, path: str) -> tuple[float, int]:
    """Milliseconds, the median, and the HTML's bytes."""
    client, took = client or _client(), []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        answer = client.get(path, follow=True)
        took.append(1000 * (time.perf_counter() - begun))
    return median(took), len(answer.content)


def _more(demo: Company) -> None:
    """Fill every list."""
    from payments.services import payments
    from payments.services.charges import receiving

    for number in range(FULL):
        receiving.receive(making.pix(making.charge(demo, 1_000 + number, customer={"name": f"Ana {number}"})))
        payments.create(demo, payments.PaymentOrder(f"more-{number}", 100, pix_key="ana@exemplo.com"))
    for _ in range(5):
        world(making.company())


def _weigh(browser: Browser, known: BrowserContext, base_url: str, path: str) -> tuple[int, int]:
    """Bytes of a first and of a second visit, headers included."""
    context = browser.new_context(base_url=base_url, locale="pt-BR", storage_state=known.storage_state())
    page = context.new_page()
    wire = context.new_cdp_session(page)
    received: list[int] = []
    wire.send("Network.enable")
    wire.on("Network.loadingFinished", lambda event: received.append(int(event["encodedDataLength"])))

    def visit() -> int:
        received.clear()
        page.goto(path, wait_until="networkidle")
        return sum(received)

    first = visit()
    again = visit()
    context.close()
    return first, again


def _row_of(place: Place) -> str:
    kind = KIND.match(place.name)
    return f"admin: {WORDS[kind[1]]}" if kind else place.name


def _rows(costs: dict[Place, Cost]) -> dict[str, Cost]:
    """By the page's name; of several pages with one name, and of the admin's of one kind, the greatest of each figure."""
    rows: dict[str, Cost] = {}
    for place, cost in costs.items():
        row = rows.setdefault(_row_of(place), Cost())
        for figure, value in vars(cost).items():
            setattr(row, figure, max(value, getattr(row, figure)))
    return rows


def _document(rows: dict[str, Cost]) -> str:
    lines = [
        "# What a page costs",
        "",
        "Written by `make bench ROOM=web` ([benchmarks/web.py](../benchmarks/web.py) says how). kB are 1,000 bytes that Chromium received,",
        "headers, styles and scripts included, at a first visit and at a second one. Queries: with a few rows in every list, and",
        f"with {FULL} more. Time is the server's without a network, the median of {ROUNDS}, on a shared machine. Of several pages of one",
        "name, and of the admin's pages of one kind, queries and time are the greatest, and the longest is weighed.",
        "",
        "| page | first visit, kB | second, kB | queries | with full lists | ms |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {name} | {cost.first / 1000:.1f} | {cost.again / 1000:.1f} | {cost.few} | {cost.full} | {cost.milliseconds:.0f} |"
        for name, cost in _in_order(rows.items())
    ]
    return "\n".join(lines) + "\n"


def _in_order(rows: Iterable[tuple[str, Cost]]) -> list[tuple[str, Cost]]:
    """Merchants' and shoppers' pages first."""
    return sorted(rows, key=lambda row: (not row[0].startswith("web:"), row[0]))
