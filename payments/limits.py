"""The platform's rate limits, by the threat that each stops. `docs/ratelimit.md` has the table.

These are the defaults; operators change them in the admin, for everybody, for a plan or for one company.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from woovi.ratelimit import Policy, RateLimited, device, distinct, reserve
from woovi.ratelimit.gate import Importance
from woovi.ratelimit.middleware import asks
from woovi.ratelimit.prepaid import Prepaid, prepaid
from woovi.ratelimit.store import Rule
from woovi.ratelimit.subject import fingerprint

MINUTE, QUARTER, HOUR, DAY = 60, 900, 3600, 86_400
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
    Policy("login.alarm", "world", 30, 600),  # from so many failures, if they are unusually many of all log-ins
    Policy("login.delay", "address", 1, 10, blocks=(2, 4, 8, 16, 32, 64, 128, 300)),  # strangers', during the alarm
    Policy("reset.address", "address", 5, HOUR),
    Policy("reset.network", "network", 20, HOUR),
    # Brute force: one account, one second factor, one AppID.
    Policy("login.account", "account", 5, QUARTER, blocks=BLOCKS),
    Policy("login.device", "device", 5, QUARTER, blocks=BLOCKS),
    Policy("login.code", "account", 5, QUARTER, blocks=BLOCKS),
    Policy("login.code.device", "device", 5, QUARTER, blocks=BLOCKS),
    Policy("login.code.day", "account", 50, DAY),  # a patient guesser's, who is never blocked
    Policy("login.code.devices", "account", 50, DAY),  # of all known devices together
    Policy("login.code.mail", "account", 5, QUARTER),  # mails to one mailbox
    Policy("login.device.mail", "account", 5, QUARTER),
    Policy("reset.account", "account", 3, HOUR),
    Policy("reset.device", "device", 3, HOUR),
    Policy("appid.address", "address", 20, QUARTER),
    Policy("appid.network", "network", 100, QUARTER),
    # Scraping and enumeration.
    Policy("pay.address", "address", 1_200, MINUTE, burst=600),
    Policy("pay.links", "address", 300, HOUR),
    Policy("api.lookups", "company", 6_000, MINUTE, burst=2_400),
    Policy("pix.keys", "taxid", 20, MINUTE, burst=500),
    Policy("api.rows", "company", 60_000, MINUTE, burst=120_000),
    # What we ask of others: our calls to the bank (payments.bank.pace), and to the DICT (payments.services.pix_key_tokens).
    Policy("bank.calls", "bank", 60_000, MINUTE, burst=10_000, blocks=(1,)),  # blocks: the bank's Retry-After is one
    Policy("bank.company", "company", 48_000, MINUTE, burst=6_000),
    Policy("dict.user.pf", "taxid", 2, MINUTE, burst=100),
    Policy("dict.user.pj", "taxid", 20, MINUTE, burst=1_000),
    Policy("dict.user-v2.pf", "taxid", 2, MINUTE, burst=100),
    Policy("dict.user-v2.pj", "taxid", 20, MINUTE, burst=1_000),
    Policy("dict.participant", "ispb", 250, MINUTE, burst=500),  # category F
]
NOT_FOUND = 20  # cost of a look-up that finds nothing; one that finds something costs 1
# Reads of one thing by its id: what a look-up may cost is charged with the request itself, in one round trip (`lookup`).
LOOK_UP: tuple[Rule, ...] = ("api.company", ("api.lookups", NOT_FOUND))
LOOKED_UP = re.compile("/api/(openpix/)?v1/(charge|customer|payment|qrcode-static|refund|subaccount|transaction)/.")

KNOWN_FOR = 86_400.0  # seconds for which this process remembers a valid AppID
MOST_KNOWN = 10_000
_known: dict[str, tuple[float, str]] = {}  # by the header's digest: until when (monotonic), and which company


def remember(header: str, company: str | None) -> None:
    """Remember the company of a valid `Authorization` header, in this process; forget an invalid one (None)."""
    if company is None:
        _known.pop(fingerprint("header", header), None)
        return
    _known[fingerprint("header", header)] = (time.monotonic() + KNOWN_FOR, company)
    if len(_known) > MOST_KNOWN:
        _known.pop(next(iter(_known)), None)


def known(header: str) -> str | None:
    """The company of a header that was valid within the last day, or None. The view checks it again."""
    until, company = _known.get(fingerprint("header", header), (0.0, ""))
    return company if until > time.monotonic() else None


def rules(request: HttpRequest, who: dict[str, str]) -> tuple[Rule, ...]:
    """The policies that a request counts against (RATE_LIMIT_RULES). A known AppID counts by company, not address."""
    head = request.path_info.lstrip("/").partition("/")[0]
    if head in ("healthz", "metrics", "static") or (
        head == "bank" and _is_bank(request.headers.get("X-Bank-Callback-Token", ""))
    ):
        return ()
    if head in ("api", "graphql") and (company := known(request.headers.get("Authorization", ""))):
        who["company"] = company
        return LOOK_UP if request.method == "GET" and LOOKED_UP.match(request.path_info) else ("api.company",)
    return ("http.address", "http.network")


def importance(path: str, headers: Mapping[bytes, bytes]) -> Importance:
    """Who is served first under load (RATE_LIMIT_IMPORTANCE): the bank, then known clients, then strangers."""
    if path.startswith("/bank/"):
        return "critical" if _is_bank(headers.get(b"x-bank-callback-token", b"").decode("latin-1")) else ""
    if path.startswith(("/api/", "/graphql")) and known(headers.get(b"authorization", b"").decode("latin-1")):
        return "known"
    return "known" if device.any_known(headers.get(b"cookie", b"").decode("latin-1")) else ""


def lookup(request: HttpRequest, company: str) -> Prepaid | reserve:
    """Reserve the cost of a look-up by id; settle it with 1 where something was found. Entering it raises RateLimited."""
    before = prepaid(request, "api.lookups", company=company)
    return before or reserve(*asks(request, "api.lookups", cost=NOT_FOUND, company=company))


@contextmanager
def rows(request: HttpRequest, company: str, most: int) -> Iterator[reserve]:
    """Reserve the cost of a list of at most `most` rows; settle it with the actual number. Raises RateLimited."""
    with reserve(*asks(request, "api.rows", cost=most, company=company)) as reserved:
        yield reserved


def open_link(request: HttpRequest, link: str) -> None:
    """Count an opened payment link. Raises RateLimited where an address opens too many different ones."""
    for ask in asks(request, "pay.links"):
        decision = distinct(ask.policy, ask.subject, link)
        if not decision.allowed:
            raise RateLimited(decision)


def _is_bank(token: str) -> bool:
    return constant_time_compare(token, settings.BANK_CALLBACK_TOKEN)
