"""Any request made of the generated OpenAPI, and of rubbish: a JSON answer with a documented status, never a failure."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from payments.models import Account
from payments.services import customers, qr_codes
from payments.services.charges import receiving
from tests.bank_process import BankProcess
from tests.payments import making
from tests.payments.api.conftest import Merchant
from tests.payments.api.schema import SCHEMA

pytestmark = pytest.mark.django_db(transaction=True)
OPERATIONS = [
    (method.upper(), path, operation)
    for path, methods in SCHEMA["paths"].items()
    for method, operation in methods.items()
]
RUBBISH: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)
IDS = ["pedido-1", "pago", "balcao", "cliente-1", "1", making.ANA, "ana@exemplo.com", "../x", "%2F", "\0"]
MOMENTS = st.datetimes().map(lambda at: at.isoformat()) | st.sampled_from(["2026-12-24", "9999-12-31T23:59:59Z"])


def values(schema: dict[str, Any]) -> Any:
    """Values of a schema, and now and then rubbish."""
    if "$ref" in schema:
        return values(SCHEMA["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if options := schema.get("anyOf", schema.get("allOf")):
        return st.one_of([values(each) for each in options])
    return st.one_of(_proper(schema), _proper(schema), _proper(schema), RUBBISH)


def _proper(schema: dict[str, Any]) -> Any:
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    match schema.get("type"):
        case "string" if "format" in schema:
            return MOMENTS
        case "string":
            return st.sampled_from(IDS) | st.text(max_size=30)
        case "integer":
            return st.integers(schema.get("minimum", -5), min(schema.get("maximum", 2**40), 2**70)) | st.integers()
        case "boolean":
            return st.booleans()
        case "array":
            return st.lists(values(schema["items"]), max_size=3)
        case "object":
            fields = {name: values(each) for name, each in schema.get("properties", {}).items()}
            return st.fixed_dictionaries({}, optional=fields)
    return RUBBISH


@st.composite
def requests(draw: Any) -> tuple[str, str, dict[str, Any], bytes]:
    method, path, operation = draw(st.sampled_from(OPERATIONS))
    query = {}
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            wanted = draw(st.sampled_from(IDS) | st.text(min_size=1, max_size=20))
            path = path.replace(f"{{{parameter['name']}}}", quote(wanted, safe=""))
        elif draw(st.booleans()):
            query[parameter["name"]] = str(draw(values(parameter["schema"])))
    body = b""
    if "requestBody" in operation:
        body = json.dumps(draw(values(operation["requestBody"]["content"]["application/json"]["schema"]))).encode()
    return method, f"{path}?{urlencode(query, errors='replace')}" if query else path, operation, body


def test_no_request_fails(shop: Merchant, bank: BankProcess) -> None:
    now = timezone.now()
    shop.post("/api/v1/charge", {"correlationID": "pedido-1", "value": 1000})
    paid = making.charge(shop.company, 1000, correlation_id="pago", expires_at=now + timedelta(hours=1))
    receiving.receive(making.pix(paid, paid_at=now), now)
    loose = receiving.receive(making.pix(pix_key=shop.company.pix_key, paid_at=now), now)
    qr_codes.create(shop.company, qr_codes.QrCodeRequest("Balcão", "balcao"))
    customers.create(shop.company, customers.CustomerRequest("Ana", "cliente-1", making.ANA))
    account = Account.objects.get(company=shop.company, kind="MERCHANT").public_id
    known = [*IDS, account, loose.end_to_end_id if loose else "", paid.txid]
    IDS[:] = sorted(set(known))
    client = Client(headers={"Authorization": shop.app_id}, raise_request_exception=False)

    @settings(
        max_examples=250,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(requests())
    def ask(request: tuple[str, str, dict[str, Any], bytes]) -> None:
        method, path, operation, body = request
        answer = client.generic(method, path, body, "application/json")
        assert answer["Content-Type"].startswith("application/json"), (method, path, body)
        json.loads(answer.content)
        # 404 and 405: an id that is empty or has a slash, as this client sends it, is another path.
        allowed = {*map(int, operation["responses"]), 404, 405} - {500, 503}
        assert answer.status_code in allowed, (method, path, body, answer.status_code, answer.content)

    ask()
