"""Whatever comes in, a clear 4xx in the contract's shape goes out, and nothing has changed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payments.models import Charge, Refund, WebhookEndpoint
from tests.payments import making
from tests.payments.api.conftest import Merchant

pytestmark = pytest.mark.django_db

GOOD: dict[str, dict[str, Any]] = {
    "/api/v1/charge": {"correlationID": "pedido-1", "value": 1000},
    "/api/v1/charge/known/refund": {"correlationID": "devolucao-1", "value": 100},
    "/api/v1/webhook": {"webhook": {"name": "Loja", "url": "http://127.0.0.1:9/"}},
}
BROKEN = {
    "empty": b"",
    "not json": b"{",
    "trailing comma": b'{"correlationID": "a", "value": 1,}',
    "nan": b'{"correlationID": "a", "value": NaN}',
    "infinite": b'{"correlationID": "a", "value": 1e999}',
    "not utf-8": b'{"correlationID": "\xff", "value": 1}',
    "lone surrogate": b'{"correlationID": "\\ud800", "value": 1}',
    "deep": b"[" * 100_000,
    "deep object": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "list": b"[]",
    "number": b"1",
    "null": b"null",
    "text": b'"charge"',
    "endless number": b'{"correlationID": "a", "value": ' + b"9" * 10_000 + b"}",
}
WRONG_VALUES: list[Any] = [
    0, -1, 1.5, 100.0, 1e300, 10**12, 2**63, 2**70, True, False, [100], {"value": 100},
    "0", "-1", "+1", "1.5", "100.0", "1,50", "1e2", "1_000", "1 000", "0x10", "R$ 10", "true", "NaN", "１００", "9" * 5000,
]  # fmt: skip
NO_VALUES: list[Any] = [None, "", " ", [], {}]
WRONG_CHARGES: list[tuple[str, Any]] = [
    ("correlationID", None),
    ("correlationID", ""),
    ("correlationID", 7.5),
    ("correlationID", True),
    ("correlationID", 10**300),
    ("correlationID", "x" * 256),
    ("correlationID", "a\0b"),
    ("comment", "x" * 141),
    ("comment", False),
    ("comment", 1.0),
    ("comment", ["a"]),
    ("comment", "\0"),
    ("type", "BOLETO"),
    ("type", 1),
    ("expiresIn", 299),
    ("expiresIn", -1),
    ("expiresIn", 2**70),
    ("expiresIn", True),
    ("expiresIn", 3600.0),
    ("expiresIn", "1h"),
    ("expiresDate", "tomorrow"),
    ("expiresDate", 1),
    ("expiresDate", "1999-01-01T00:00:00Z"),
    ("expiresDate", "9999-12-31T23:59:59-23:59"),
    ("customer", "Ana"),
    ("customer", {"name": "Ana"}),
    ("customer", {"name": "", "email": "a@b.c"}),
    ("customer", {"taxID": making.ANA}),
    ("customer", {"name": "Ana", "taxID": "11111111111"}),
    ("customer", {"name": "Ana", "taxID": True}),
    ("customer", {"name": "Ana", "taxID": 1e10}),
    ("customer", {"name": "Ana", "email": "a@b.c", "address": {"city": False}}),
    ("customer", {"name": "Ana", "email": "a@b.c", "ensureSameTaxID": True}),
    ("customer", {"name": "Ana", "email": "a@b.c", "ensureSameTaxID": "yes"}),
    ("customer", {"name": "A\0", "taxID": making.ANA}),
    ("customer", {"name": "x" * 201, "email": "a@b.c"}),
    ("customer", {"name": "Ana", "email": "a@b.c", "address": {"city": "\0"}}),
    ("ensureSameTaxID", "true"),
    ("ensureSameTaxID", True),
    ("additionalInfo", [{"key": "a"}]),
    ("additionalInfo", [{"value": "b"}]),
    ("additionalInfo", [{"key": "a", "value": True}]),
    ("additionalInfo", [{"key": "a", "value": 1.5}]),
    ("additionalInfo", {"key": "a", "value": "b"}),
    ("additionalInfo", [{"key": "x" * 51, "value": "b"}]),
    ("additionalInfo", [{"key": "a", "value": "b"}] * 51),
    ("splits", [{"value": 1, "pixKey": "a@b.c"}]),
    ("subaccount", "a@b.c"),
]


@pytest.fixture
def paths(shop: Merchant) -> Merchant:
    """A shop whose charge `known` is there to be refunded."""
    making.charge(shop.company, correlation_id="known")
    return shop


def refused(answer: Any, field: str = "", status: tuple[int, ...] = (400,)) -> None:
    assert answer.status_code in status, (answer.status_code, answer.content)
    assert answer["Content-Type"].startswith("application/json")
    body = answer.json()
    assert list(body) == ["error"]
    assert field in body["error"]
    assert not Refund.objects.exists()
    assert not WebhookEndpoint.objects.exists()
    assert Charge.objects.exclude(correlation_id="known").count() == 0


@pytest.mark.parametrize("path", GOOD)
@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_a_body_that_is_no_json_object(paths: Merchant, path: str, body: bytes) -> None:
    refused(paths.post(path, body))


@pytest.mark.parametrize("path", GOOD)
@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "x"])
def test_a_body_of_another_type(paths: Merchant, path: str, kind: str) -> None:
    refused(paths.post(path, json.dumps(GOOD[path]), content_type=kind), "application/json", (415,))


@pytest.mark.parametrize("path", GOOD)
def test_a_body_that_is_too_large(paths: Merchant, path: str) -> None:
    refused(paths.post(path, {**GOOD[path], "comment": "x" * 1_100_000}), "too large", (413,))


@pytest.mark.parametrize("path", ["/api/v1/charge", "/api/v1/charge/known/refund"])
@pytest.mark.parametrize("value", WRONG_VALUES, ids=repr)
def test_values_that_are_no_centavos(paths: Merchant, path: str, value: Any) -> None:
    refused(paths.post(path, {**GOOD[path], "value": value}), "value")


@pytest.mark.parametrize("value", NO_VALUES, ids=repr)
def test_a_charge_without_a_value(paths: Merchant, value: Any) -> None:
    refused(paths.post("/api/v1/charge", {**GOOD["/api/v1/charge"], "value": value}), "value")


@pytest.mark.parametrize(("field", "value"), WRONG_CHARGES, ids=repr)
def test_fields_of_a_charge(paths: Merchant, field: str, value: Any) -> None:
    refused(paths.post("/api/v1/charge", {**GOOD["/api/v1/charge"], field: value}), field)


@pytest.mark.parametrize("field", ["correlationID", "value"])
def test_fields_that_are_missing(paths: Merchant, field: str) -> None:
    body = {name: value for name, value in GOOD["/api/v1/charge"].items() if name != field}
    refused(paths.post("/api/v1/charge", body), field)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("skip=-1", "skip"),
        ("skip=9999999999999999999", "skip"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("status=PAID", "status"),
        ("status=%00", "status"),
        ("start=yesterday", "start"),
        ("end=%00", "end"),
        ("customer=%00", "customer"),
        ("customer=" + "x" * 300, "customer"),
    ],
)
def test_queries_of_the_list(paths: Merchant, query: str, field: str) -> None:
    answer = paths.get(f"/api/v1/charge?{query}")
    refused(answer, field)
    assert answer.json()["error"].startswith(f"{field}: "), "the field alone, not its place in our types"


@pytest.mark.parametrize("given", ["maybe", "2", "%00"])
def test_return_existing_is_a_boolean(paths: Merchant, given: str) -> None:
    refused(paths.post(f"/api/v1/charge?return_existing={given}", GOOD["/api/v1/charge"]), "return_existing")


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/charge/unknown",
        "/api/v1/charge/%00",
        "/api/v1/charge/%FF",
        "/api/v1/charge/" + "x" * 5000,
        "/api/v1/charge/unknown/refund",
        "/api/v1/account/unknown",
        "/api/v1/account/%00",
    ],
)
def test_what_is_not_there_is_400(paths: Merchant, path: str) -> None:
    refused(paths.get(path))


@pytest.mark.parametrize("webhook_id", ["unknown", "%00", "%FF"])
def test_a_webhook_that_is_not_there(paths: Merchant, webhook_id: str) -> None:
    refused(paths.delete(f"/api/v1/webhook/{webhook_id}"))


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/nothing",
        "/api",
        "/api/",
        "/bank",
        "/api/v9/charge",
        "/bank/nothing",
        "/api/v1/charge/a/b/c",
        "/openpix/charge/brcode/image/x.png",
        "/openpix/charge/brcode/image/x.svg",
        "/openpix",
    ],
)
def test_a_path_that_is_not_there_is_404(shop: Merchant, path: str) -> None:
    refused(shop.get(path), status=(404,))


@pytest.mark.parametrize("path", ["/api/v1/charge", "/api/v1/charge/known", "/api/v1/company", "/bank/pix"])
@pytest.mark.parametrize("method", ["PUT", "TRACE", "PROPFIND", "BREW"])
def test_a_method_that_is_not_there_is_405(shop: Merchant, path: str, method: str) -> None:
    client = Client(headers={"Authorization": shop.app_id}, raise_request_exception=False)
    refused(client.generic(method, path, content_type="application/json"), status=(405,))


@pytest.mark.parametrize(
    "path",
    ["/api/v1/charge", "/api/v1/charge/known", "/api/v1/company", "/api/openpix/v1/charge/nothing", "/api/v1/nothing",
     "/api/docs", "/api/v1/webhook/public-keys"],
)  # fmt: skip
def test_head_answers_like_get_without_a_body(paths: Merchant, path: str) -> None:
    client = Client(headers={"Authorization": paths.app_id}, raise_request_exception=False)
    read, head = client.get(path), client.head(path)
    assert (head.status_code, head["Content-Type"], head.content) == (read.status_code, read["Content-Type"], b"")


def test_head_of_what_cannot_be_read_is_405(shop: Merchant) -> None:
    assert Client(raise_request_exception=False).head("/bank/pix").status_code == 405


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
CHARGE_FIELDS = [
    "correlationID", "value", "type", "comment", "expiresIn", "expiresDate", "customer", "ensureSameTaxID",
    "additionalInfo", "splits", "paymentLinkID",
]  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.dictionaries(st.sampled_from(CHARGE_FIELDS), ANY_JSON))
@pytest.mark.parametrize("path", ["/api/v1/charge", "/api/v1/charge/known/refund"])
def test_no_json_body_breaks_the_server(paths: Merchant, path: str, body: dict[str, Any]) -> None:
    # Never a whole and right one: a charge would be registered at a bank that is not there.
    answer = paths.post(path, {**body, "value": -1 if type(body.get("value")) in {int, str} else body.get("value")})
    refused(answer)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200))
def test_no_bytes_break_the_callback(shop: Merchant, body: bytes, bank_token: str) -> None:
    answer = Client(raise_request_exception=False).post(
        "/bank/pix", body, content_type="application/json", headers={"X-Bank-Callback-Token": bank_token}
    )
    assert answer.status_code in {200, 400}
    assert answer["Content-Type"].startswith("application/json")
