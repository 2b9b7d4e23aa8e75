"""The trace of a request: in its log lines, and in those of the tasks that it caused (W3C Trace Context, level 1).

    POST … traceparent: 00-<trace>-<caller>-01   ->  the middleware  ->  the outbox's `task:` row  ->  the task's message

Whoever calls without a trace, or with one that is not well formed, begins a new one. Nothing is recorded or exported
here: the id joins lines of several processes, and those of a caller that names its own.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponseBase

HEADER = "traceparent"
REQUEST_ID = "X-Request-Id"  # of an answer: the trace, by which its log lines are found
# A later version may have more fields behind these; `ff` is no version, and zeros are no ids.
_FORM = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?")
_now: ContextVar[str] = ContextVar(HEADER, default="")


def current() -> str:
    """What to hand on: the traceparent of the request or task that runs in this thread, or an empty text."""
    return _now.get()


def request_id() -> str:
    """The trace that runs in this thread, 32 hex digits, or an empty text."""
    return current()[3:35]


@contextmanager
def following(given: str | None) -> Iterator[None]:
    """Run the block as a part of the `given` traceparent's trace, or of a new one."""
    found = _FORM.fullmatch(given or "")
    known = found is not None and not (found[1] == "00" and found[4])
    trace, flags = (found[2], found[3]) if found and known else (secrets.token_hex(16), "00")
    token = _now.set(f"00-{trace}-{secrets.token_hex(8)}-{flags}")
    try:
        yield
    finally:
        _now.reset(token)


def middleware(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Follow the trace of each request, and name it in the answer."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        with following(request.headers.get(HEADER)):
            response = get_response(request)
            response[REQUEST_ID] = request_id()
            return response

    return answer


def named(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """The header that names the trace in an answer from before the middleware. headers: the request's, as ASGI has them."""
    with following(headers.get(HEADER.encode(), b"").decode("latin-1")):
        return {REQUEST_ID: request_id()}


class WithTrace(logging.Filter):
    """Gives each record `trace`, the end of its line: ` trace=4bf9…`, or nothing outside of requests and tasks."""

    def filter(self, record: logging.LogRecord) -> bool:
        here = request_id()
        record.trace = f" trace={here}" if here else ""
        return True
