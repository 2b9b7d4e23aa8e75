"""HTTP to a bank: connection pool, access token, and failures as errors that say whether anything happened."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable
from typing import Any

import httpx

from payments.bank import pace, wire
from payments.bank.port import (
    BankConflict,
    BankError,
    BankNotFound,
    BankRefused,
    BankUnavailable,
    BankUnknown,
    not_sent,
)
from woovi import database
from woovi.cache import LoadFailed, metrics
from woovi.cache.oauth import Grant, OAuth2TokenCache

CONNECT_SECONDS = 3.0
LONGEST = 86_400  # seconds that a token is kept, whatever the bank says: more than a number of Redis holds is an error
_BEARER = re.compile(r"[!-~]+")  # what a header can carry
CALLS = "bank.calls"  # the name under which they are counted, as the loads of a cache are: by all processes together
# Failures before the request was sent: nothing can have happened.
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.ProxyError)


class Session:
    """A bank's API with OAuth2 client credentials (RFC 6749 §4.4), thread-safe. All processes share one access token.

    Args:
        url: base address of the API; the token is at `/oauth/token` below it.
        certificate: path of a PEM file with certificate and key for mutual TLS, or empty.
        timeout: seconds to wait for an answer, and the most that may pass before a request leaves.
    """

    def __init__(self, url: str, client_id: str, secret: str, *, certificate: str = "", timeout: float = 10.0) -> None:
        self._timeout = timeout
        context = ssl.create_default_context()
        if certificate:
            context.load_cert_chain(certificate)
        self._client = httpx.Client(
            base_url=url,
            verify=context,
            timeout=httpx.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS)),
            limits=httpx.Limits(max_connections=50, max_keepalive_connections=20, keepalive_expiry=4.0),
        )
        self._name = f"{url} {client_id}"
        self._basic = httpx.BasicAuth(client_id, secret)
        self._tokens = OAuth2TokenCache(
            "bank.token", self._fetch_token, identity=(url, client_id, secret), lease=timeout + CONNECT_SECONDS + 1
        )
        self._auth = self._tokens.auth()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def call(
        self, method: str, path: str, *, body: object = None, query: dict[str, str] | None = None, sends: bool = False
    ) -> Any:
        """Call the API and return the JSON of its answer.

        Args:
            sends: the call sends money, so that only an answer which rules it out says that nothing happened.

        Raises:
            BankError: as `payments.bank.port` describes. The message never holds a token, a secret or a Pix key.
            RuntimeError: a database transaction is open.
        """
        return self._exchange(method, path, sends=sends, json=body, params=query)[0]

    def read(self, path: str, headers: dict[str, str]) -> tuple[Any, str]:
        """`GET` with these headers: the JSON of the answer and its Cache-Control. Raises as `call`.

        For the DICT. Its 429 is about look-ups, and stops no other call.
        """
        answer, given = self._exchange("GET", path, stops_all=False, headers=headers)
        return answer, given.get("Cache-Control", "")

    def _exchange(
        self, method: str, path: str, *, stops_all: bool = True, sends: bool = False, **request: Any
    ) -> tuple[Any, httpx.Headers]:
        database.let_go()
        pace.take_turn(self._name)
        answer = self._send(method, path, request)
        if answer.status_code == 429 and stops_all:
            pace.told(self._name, answer.headers.get("Retry-After", ""))
        if answer.is_success:
            return _json(answer, _label(method, path)), answer.headers
        raise _error(answer, _label(method, path), sends=sends)

    def _send(self, method: str, path: str, request: dict[str, Any]) -> httpx.Response:
        began, failed = time.monotonic(), True
        leaves_in_time = {"trace": self._leaves_in_time(began)}
        try:
            answer = self._client.request(method, path, auth=self._auth, extensions=leaves_in_time, **request)
            failed = answer.is_server_error
            return answer
        except LoadFailed as error:
            raise not_sent("NoToken", error.reason) from None
        except httpx.HTTPError as error:
            # `from None`, because the original error holds the request with the token.
            raise _broken(error, _label(method, path)) from None
        finally:
            counts = metrics.counts(CALLS)
            counts.loaded(time.monotonic() - began)
            counts.miss += 1
            counts.error += failed

    def _leaves_in_time(self, began: float) -> Callable[[str, object], None]:
        """A trace of httpcore that gives up a request not yet sent `timeout` seconds after `began`.

        httpx's limits do not add up to one: that to connect is for each address of the bank's name, that to read for each part
        of the token's answer. A request that leaves later than its caller counts on could meet the caller's successor.
        """

        def look(event: str, _: object) -> None:
            if event.endswith("send_request_headers.started") and time.monotonic() - began > self._timeout:
                raise httpx.ConnectTimeout("too late to send")

        return look

    def _fetch_token(self) -> Grant:
        """Raises BankUnavailable, also for wrong credentials: the instruction itself was neither done nor refused."""
        try:
            answer = self._client.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=self._basic)
        except httpx.HTTPError as error:
            raise BankUnavailable(type(error).__name__, "no access token") from None
        if answer.status_code == 429:
            pace.told(self._name, answer.headers.get("Retry-After", ""))
        try:
            fields = wire.parse_json(answer.content) if answer.is_success else {}
            token, seconds = fields["access_token"], fields.get("expires_in")
            if not _BEARER.fullmatch(token):
                raise ValueError("no token")
            return Grant(token, None if seconds is None else min(int(seconds), LONGEST))
        except wire.UNREADABLE:
            raise BankUnavailable(f"HTTP {answer.status_code}", "no access token") from None


def _label(method: str, path: str) -> str:
    """The call without ids, since a Pix key may be a person's CPF."""
    return f"{method} /{path.split('/')[1]}"


def _broken(error: httpx.HTTPError, label: str) -> BankError:
    made = not_sent if isinstance(error, NOT_SENT) else BankUnknown
    return made(type(error).__name__, label)


def _json(answer: httpx.Response, label: str) -> Any:
    if not answer.content:
        return {}
    try:
        return wire.parse_json(answer.content)
    except ValueError:
        raise BankUnknown("BrokenAnswer", f"{label}: HTTP {answer.status_code} without JSON") from None


def _error(answer: httpx.Response, label: str, *, sends: bool) -> BankError:
    """The port's error for a failed answer. Reads RFC 7807 where the bank sends it.

    Of a call that sends money, a proxy before the bank may say 403 or 503 though the bank has it.
    """
    status = answer.status_code
    try:
        problem = wire.parse_json(answer.content)
    except ValueError:
        problem = None
    problem = problem if isinstance(problem, dict) else {}
    # Both are kept in the database, as the reason why a refund or payment was refused.
    code = wire.clean_text(str(problem.get("type") or "").rpartition("/")[2], 60) or f"HTTP {status}"
    detail = f"{label}: HTTP {status} {wire.clean_text(str(problem.get('detail') or ''), 300)}".strip()
    if sends and status in {403, 503}:
        return BankUnknown(code, detail)
    if status in {401, 403, 429, 503}:  # 401, 403: our credentials and scopes, not the instruction
        return BankUnavailable(code, detail)
    if status == 404:
        return BankNotFound(code, detail)
    if status == 409:
        return BankConflict(code, detail)
    if 400 <= status < 500 and status != 408:
        return BankRefused(code, detail)
    return BankUnknown(code, detail)
