"""What programs ask for goes through fewer middlewares, and is answered as if it went through all."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import settings as everybodys

from woovi.http.in_threads import InThreads

pytestmark = pytest.mark.django_db(transaction=True)

OF_PAGES = {
    b"vary",
    b"content-language",
    b"x-frame-options",
    b"content-security-policy",
}  # of JSON they protect nothing
OF_ITS_OWN = {b"x-request-id", b"ratelimit", b"date"}


JSON = {"content-type": "application/json", "content-length": "5"}
ASKED: list[tuple[str, str, dict[str, str], int]] = [
    ("GET", "/api/v1/nothing", {}, 404),
    ("GET", "/api/v1/charge", {}, 401),
    ("HEAD", "/api/v1/charge", {"authorization": "wrong"}, 401),
    ("POST", "/api/v1/charge", {**JSON, "content-type": "text/html"}, 415),
    ("POST", "/api/v1/charge", JSON, 401),
    ("DELETE", "/api/openpix/v1/charge", {"accept-language": "pt-BR"}, 405),
    ("GET", "/api/v1/charge", {"host": "evil.example"}, 400),
    ("OPTIONS", "/api/v1/charge", {"origin": "https://evil.example"}, 405),
    ("POST", "/bank/pix", JSON, 401),
]


def test_the_answers_are_the_same(settings: Any) -> None:
    settings.ALLOWED_HOSTS, settings.SECURE_HSTS_SECONDS = ["shop.example"], 3_600
    with ThreadPoolExecutor(1) as threads:
        few, all_ = InThreads(threads, everybodys.PROGRAMS_MIDDLEWARE), InThreads(threads)
        for method, path, headers, status in ASKED:
            short, long = (ask(app, method, path, headers) for app in (few, all_))
            assert short == long, path
            assert (short[0], short[1][b"content-type"][:16]) == (status, b"application/json"), path
            if status == 401:  # others are the front door's own
                assert short[1][b"strict-transport-security"] == b"max-age=3600", path
                assert short[1][b"x-content-type-options"] == b"nosniff", path


def ask(app: InThreads, method: str, path: str, headers: dict[str, str]) -> tuple[int, dict[bytes, bytes], bytes]:
    coming, said = [{"type": "http.request", "body": b"x" * int(headers.get("content-length", 0))}], list[Any]()

    async def receive() -> dict[str, Any]:
        return coming.pop(0)

    async def send(message: Any) -> None:
        said.append(message)

    raw = [(name.encode(), value.encode()) for name, value in ({"host": "shop.example"} | headers).items()]
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "headers": raw,
        "client": ("127.0.0.1", 1), "server": ("shop.example", 443), "scheme": "https",
    }  # fmt: skip

    asyncio.run(app(scope, receive, send))
    start, body = said
    told = {name.lower(): value for name, value in start["headers"]}
    return start["status"], {name: told[name] for name in told.keys() - OF_PAGES - OF_ITS_OWN}, body["body"]
