"""Pages, styles and scripts are sent compressed to who takes that, and are still known by their ETag."""

from __future__ import annotations

import gzip

import pytest
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import Client, RequestFactory

from woovi.http.compress import compressed

STYLES = "/static/payments/app.css"
TAKES = {"Accept-Encoding": "gzip, deflate, br"}


def body(response: HttpResponseBase) -> bytes:
    return response.getvalue()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.django_db  # the end of a file looks at the connection, if a test before this one has left one
def test_styles_are_compressed_and_not_sent_again() -> None:
    plain, small = Client().get(STYLES), Client(headers=TAKES).get(STYLES)
    assert "Content-Encoding" not in plain.headers, "the control: who does not ask gets it as it is"
    whole = body(plain)
    assert gzip.decompress(body(small)) == whole
    assert len(body(small)) < len(whole) / 3
    assert int(small.headers["Content-Length"]) == len(body(small))
    assert (small.headers["ETag"], small.headers["Vary"]) == (f"W/{plain.headers['ETag']}", "Accept-Encoding")
    for headers in (TAKES, {}):
        for etag in (plain.headers["ETag"], small.headers["ETag"]):
            assert Client(headers={**headers, "If-None-Match": etag}).get(STYLES).status_code == 304
    assert Client(headers={**TAKES, "If-None-Match": 'W/"another"'}).get(STYLES).status_code == 200


def test_a_page_is_compressed_with_its_cookies() -> None:
    page = Client(headers=TAKES).get("/login")
    assert b"<form" in gzip.decompress(page.content)
    assert "csrftoken" in page.cookies
    lengths = {len(Client(headers=TAKES).get("/docs/redis").content) for _ in range(12)}
    assert len(lengths) > 1, "its length says nothing of its content"


@pytest.mark.parametrize(
    "response",
    [
        JsonResponse({"a": "x" * 2_000}),
        StreamingHttpResponse([b"x" * 2_000], content_type="text/csv"),
        StreamingHttpResponse([b"x" * 2_000], content_type="text/event-stream"),
        StreamingHttpResponse([b"x" * 2_000], content_type="text/html"),
        HttpResponse("short", content_type="text/html"),
        HttpResponse("x" * 2_000, content_type="text/html", status=206),
        HttpResponse("x" * 2_000, content_type="text/html", headers={"Content-Encoding": "br"}),
        FileResponse(iter([b"x" * 2_000]), content_type="image/png"),
    ],
    ids=["json", "csv", "events", "stream", "short", "a part", "compressed", "picture"],
)
def test_other_answers_stay_as_they_are(response: HttpResponseBase, rf: RequestFactory) -> None:
    def view(request: HttpRequest) -> HttpResponseBase:
        return response

    answer = compressed(view)(rf.get("/", headers=TAKES))
    assert answer is response
    assert answer.headers.get("Content-Encoding") in {None, "br"}
