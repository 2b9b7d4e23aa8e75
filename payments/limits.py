"""The platform's limits: four threats, what stops each, and who is never stopped. `docs/ratelimit.md` has the table.

These are the defaults; operators change them in the admin, for everybody, for a plan or for one company.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from woovi.ratelimit import Policy, RateLimited, device, distinct, reserve
from woovi.ratelimit.gate import Importance
from woovi.ratelimit.middleware import asks
from woovi.ratelimit.subject import fingerprint

MINUTE, QUARTER, HOUR = 60, 900, 3600
BLOCKS = (60, 300, 1800, 86_400)

POLICIES = [
    # Flood. The first two count in each process alone, before Django.
    Policy("flood.network", "network", 1_000, 10),
    Policy("flood.process", "process", 150, 1, burst=300),
    Policy("http.address", "address", 600, MINUTE, burst=300),
    Policy("http.network", "network", 6_000, MINUTE, burst=3_000),
    Policy("socket.address", "address", 60, MINUTE),
    Policy("socket.network", "network", 600, MINUTE),
    Policy("api.company", "company", 12_000, MINUTE, burst=6_000),
    # Credential stuffing: many accounts. Only failures count; a browser that has logged in before is `login.device`.
    Policy("login.address", "address", 10, QUARTER),
    Policy("login.network", "network", 30, QUARTER),
    Policy("login.world", "world", 100, 600),
    # Brute force: one account, one AppID.
    Policy("login.account", "account", 5, QUARTER, blocks=BLOCKS),
    Policy("login.device", "device", 5, QUARTER, blocks=BLOCKS),
    Policy("appid.address", "address", 20, QUARTER),
    Policy("appid.network", "network", 100, QUARTER),
    # Scraping and enumeration.
    Policy("pay.address", "address", 1_200, MINUTE, burst=600),
    Policy("pay.links", "address", 300, HOUR),
    Policy("api.lookups", "company", 6_000, MINUTE, burst=2_400),
    Policy("pix.keys", "taxid", 20, MINUTE, burst=500),
    Policy("api.rows", "company", 60_000, MINUTE, burst=120_000),
]
NOT_FOUND = 20  # what a guess costs that found nothing, where a hit costs 1

KNOWN_FOR = 86_400.0  # seconds for which an AppID that was right makes its company no stranger to this process
MOST_KNOWN = 10_000
_known: dict[str, tuple[float, str]] = {}  # digest of the header: until when, which company


def remember(header: str, company: str | None) -> None:
    """An `Authorization` header was right; or, for None, wrong. Kept by its digest, in this process."""
    if company is None:
        _known.pop(fingerprint("header", header), None)
        return
    _known[fingerprint("header", header)] = (time.monotonic() + KNOWN_FOR, company)
    if len(_known) > MOST_KNOWN:
        _known.pop(next(iter(_known)), None)


def known(header: str) -> str | None:
    """The company whose AppID the header has held within the last day. Whether it still may, its view decides."""
    until, company = _known.get(fingerprint("header", header), (0.0, ""))
    return company if until > time.monotonic() else None


def rules(request: HttpRequest, who: dict[str, str]) -> tuple[str, ...]:
    """What every request is charged for (RATE_LIMIT_RULES). A company's program is counted by company, not by address."""
    head = request.path_info.lstrip("/").partition("/")[0]
    if head in ("healthz", "metrics", "static") or (
        head == "bank" and _is_bank(request.headers.get("X-Bank-Callback-Token", ""))
    ):
        return ()
    if head == "api" and (company := known(request.headers.get("Authorization", ""))):
        who["company"] = company
        return ("api.company",)
    return ("http.address", "http.network")


def importance(path: str, headers: Mapping[bytes, bytes]) -> Importance:
    """Who comes in when it is full (RATE_LIMIT_IMPORTANCE): the bank first, and strangers last."""
    if path.startswith("/bank/"):
        return "critical" if _is_bank(headers.get(b"x-bank-callback-token", b"").decode("latin-1")) else ""
    if path.startswith("/api/") and known(headers.get(b"authorization", b"").decode("latin-1")):
        return "known"
    return "known" if device.any_known(headers.get(b"cookie", b"").decode("latin-1")) else ""


@contextmanager
def lookup(request: HttpRequest, company: str) -> Iterator[reserve]:
    """One thing of a company's looked up by its id: settled with 1 where it was found. Raises RateLimited."""
    with reserve(*asks(request, "api.lookups", cost=NOT_FOUND, company=company)) as reserved:
        yield reserved


@contextmanager
def rows(request: HttpRequest, company: str, most: int) -> Iterator[reserve]:
    """A list of at most so many rows, settled with how many there were. Raises RateLimited."""
    with reserve(*asks(request, "api.rows", cost=most, company=company)) as reserved:
        yield reserved


def open_link(request: HttpRequest, link: str) -> None:
    """Somebody opens a payment link. Raises RateLimited for who opens too many different ones."""
    for ask in asks(request, "pay.links"):
        decision = distinct(ask.policy, ask.subject, link)
        if not decision.allowed:
            raise RateLimited(decision)


def _is_bank(token: str) -> bool:
    return constant_time_compare(token, settings.BANK_CALLBACK_TOKEN)
