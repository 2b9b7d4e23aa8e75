"""Programs' requests: one hop to a thread that is kept, with nothing left behind for the next request in it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from payments.models import Company
from woovi import urls
from woovi.http.in_threads import InThreads

pytestmark = pytest.mark.django_db(transaction=True)

left: ContextVar[str] = ContextVar("left", default="nothing")
seen: list[tuple[int, str]] = []  # the thread of each request, and what it found in its context


@csrf_exempt
def echo(request: HttpRequest) -> HttpResponse:
    seen.append((threading.get_ident(), left.get()))
    left.set("something")
    Company.objects.exists()
    answer = HttpResponse(request.body + request.META["QUERY_STRING"].encode(), status=201)
    answer.set_cookie("biscuit", "1")
    return answer


@csrf_exempt
def stream(request: HttpRequest) -> HttpResponseBase:
    return StreamingHttpResponse([b"a", b"b"])


@csrf_exempt
def fail(request: HttpRequest) -> HttpResponse:
    Company.objects.exists()
    raise LookupError("as planned")


urlpatterns = [path("api/echo", echo), path("api/stream", stream), path("api/fail", fail), *urls.urlpatterns]
handler500 = urls.handler500


@pytest.fixture
def handler(settings: Any) -> Iterator[InThreads]:
    settings.ROOT_URLCONF = __name__
    seen.clear()
    handler = InThreads(ThreadPoolExecutor(1))
    yield handler
    handler._threads.shutdown()


def ask(handler: InThreads, to: str, *parts: bytes, disconnects: bool = False) -> tuple[int, dict[bytes, bytes], bytes]:
    """Status, headers and body of the answer to a POST whose body comes in these parts. Status 0: there was none."""
    coming: list[dict[str, Any]] = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    coming.append({"type": "http.disconnect"} if disconnects else {"type": "http.request"})
    said: list[Any] = []

    async def receive() -> dict[str, Any]:
        return coming.pop(0)

    async def send(message: Any) -> None:
        said.append(message)

    url, _, query = to.partition("?")
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json"), (b"content-length", b"9")]
    scope = {
        "type": "http", "method": "POST", "path": url, "raw_path": url.encode(), "query_string": query.encode(),
        "headers": headers, "client": ("127.0.0.1", 1), "server": ("localhost", 80), "scheme": "http",
    }  # fmt: skip
    asyncio.run(handler(scope, receive, send))
    if not said:
        return 0, {}, b""
    return said[0]["status"], dict(said[0]["headers"]), said[1]["body"]


@contextmanager
def returned() -> Iterator[Callable[[], int]]:
    """Connections of the pool that the block has taken and not given back."""

    def taken() -> int:
        stats = connection.pool.get_stats()  # type: ignore[attr-defined]
        return int(stats["pool_size"] - stats["pool_available"])

    connection.close()
    before = taken()
    yield lambda: taken() - before


def test_the_answer_is_djangos(handler: InThreads) -> None:
    status, headers, body = ask(handler, "/api/echo?x=1", b"one ", b"two ")
    assert (status, body) == (201, b"one two x=1")
    assert headers[b"Set-Cookie"].startswith(b"biscuit=1;")
    assert headers[b"X-Content-Type-Options"] == b"nosniff"  # the middleware runs
    assert ask(handler, "/api/stream")[2] == b"ab"
    assert ask(handler, "/api/nothing")[0] == 404


def test_threads_are_kept_and_contexts_are_not(handler: InThreads) -> None:
    for _ in range(3):
        ask(handler, "/api/echo")
    assert len({thread for thread, _ in seen}) == 1
    assert threading.get_ident() != seen[0][0]
    assert [found for _, found in seen] == ["nothing"] * 3


def test_connections_go_back_to_the_pool(handler: InThreads) -> None:
    with returned() as taken:
        assert ask(handler, "/api/echo")[0] == 201
        assert ask(handler, "/api/fail")[0] == 500
        assert taken() == 0
        Company.objects.exists()
        assert taken() == 1  # the control: it is counted where it is not given back
    connection.close()


def test_who_hangs_up_before_the_end_of_the_body_is_not_heard(handler: InThreads) -> None:
    assert ask(handler, "/api/echo", b"half", disconnects=True)[0] == 0
    assert seen == []
