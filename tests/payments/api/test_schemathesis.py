"""No request that schemathesis makes of our description, or of Woovi's, is answered otherwise than these say.

Both kinds of requests are made: such as the description allows, and such as it does not. They go over HTTP to a server whose
database holds one of everything, by ids that are known or not. The same examples come every time (`derandomize`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
import requests
import schemathesis
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode as Mode

from payments.api.app import api
from payments.models import Account
from payments.services import customers, payments, qr_codes
from payments.services.charges import receiving, refunds
from payments.services.payments import PaymentOrder
from tests.bank_process import BankProcess
from tests.payments import making
from tests.payments.api import woovi_contract
from tests.payments.api.conftest import Merchant
from tests.payments.api.test_subaccounts import opened

pytestmark = pytest.mark.django_db(transaction=True)
EXAMPLES = 3  # of each operation, of each kind
SLOW = 10.0  # seconds: two, on a machine that does five things at once
NOTHING_TO_FORBID = {"GET /api/v1/webhook/public-keys"}  # it takes nothing at all
ELSEWHERE = {
    404,
    405,
}  # an id that is empty or has a slash, as this server decodes it, or another method: another place
ODD_IDS = ["../x", "a/b", "50%", "ção", "💸", "none", "\u007f", "0" * 300]


def parameters(path: str) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def schema_of(shape: Any) -> dict[str, Any]:
    """The JSON schema of a shape of `contract.json`."""
    shape = woovi_contract.shape(shape)
    if isinstance(shape, dict):
        return {"type": "object", "properties": {name: schema_of(each) for name, each in shape.items()}}
    if isinstance(shape, list):
        return {"type": "array", "items": schema_of(shape[0])}
    if shape in woovi_contract.TYPES:
        return {"type": shape}
    return {} if shape == "any" else {"type": "string", "enum": shape.split("|")}


def theirs() -> dict[str, Any]:
    """Woovi's description of the core, made of the facts in `contract.json`. What is answered is compared by them, too."""
    paths: dict[str, Any] = {}
    for name, wanted in woovi_contract.OPERATIONS.items():
        method, _, path = name.partition(" ")
        query = [{"name": each, "in": "query", "schema": {"type": "string"}} for each in wanted["query"]]
        operation: dict[str, Any] = {
            "parameters": parameters(path) + query,
            "responses": {"default": {"description": ""}},
        }
        if "body" in wanted:
            operation["requestBody"] = {"content": {"application/json": {"schema": schema_of(wanted["body"])}}}
        paths.setdefault(path, {})[method.lower()] = operation
    return {"openapi": "3.0.3", "info": {"title": "Woovi", "version": "1"}, "paths": paths}


def ours() -> dict[str, Any]:
    return dict(api.get_openapi_schema(path_prefix="/api/v1/"))


@pytest.fixture
def ids(shop: Merchant, live_server: Any, settings: Any, bank: BankProcess) -> list[str]:
    """One of everything, and the ids of all."""
    settings.PUBLIC_URL, now = live_server.url, timezone.now()
    shop.post("/api/v1/charge", {"correlationID": "pedido-1", "value": 1000})
    paid = making.charge(shop.company, 50_000, correlation_id="pago", expires_at=now + timedelta(hours=1))
    received = receiving.receive(making.pix(paid, paid_at=now), now)
    loose = receiving.receive(making.pix(pix_key=shop.company.pix_key, paid_at=now), now)
    assert received
    assert loose
    paid.refresh_from_db()
    refund = refunds.request(shop.company, paid, "devolucao", 100, now=now)
    code = qr_codes.create(shop.company, qr_codes.QrCodeRequest("Balcão", "balcao"))
    customers.create(shop.company, customers.CustomerRequest("Ana", "cliente-1", making.ANA))
    payments.create(shop.company, PaymentOrder("pagamento", 100, pix_key="ana@exemplo.com"))
    opened(shop, "ana@exemplo.com", "Ana")
    body = {"webhook": {"name": "a", "url": f"{live_server.url}/nothing", "isActive": False}}
    webhook = shop.post("/api/v1/webhook", body).json()["webhook"]["id"]
    account = Account.objects.get(company=shop.company, kind="MERCHANT").public_id
    known = [
        "pedido-1",
        "pago",
        "devolucao",
        "balcao",
        "cliente-1",
        "pagamento",
        "ana@exemplo.com",
        making.ANA,
        webhook,
        account,
    ]
    return [*known, paid.txid, received.end_to_end_id, loose.end_to_end_id, refund.return_id, code.identifier, *ODD_IDS]


def cases(operation: Any, ids: list[str], mode: Mode) -> Any:
    """Requests of an operation; two of three by an id of `ids`, in the place of those that are made up."""
    names = [each.name for each in operation.path_parameters]
    made = operation.as_strategy(generation_mode=mode)
    if not names:
        return made
    known = st.sampled_from([quote(each, safe="") for each in ids])
    return st.one_of(made, *[st.tuples(made, known).map(lambda pair: at(pair[0], names, pair[1]))] * 2)


def at(case: Any, names: list[str], identifier: str) -> Any:
    case.path_parameters = dict.fromkeys(names, identifier)
    return case


def asked(web: str, app_id: str, case: Any) -> requests.Response:
    """Send the case. Only the AppID is put right: schemathesis leaves it out or makes one up, which another test does."""
    given = case.as_transport_kwargs(base_url=web)
    headers = {**given.pop("headers"), "Authorization": app_id}
    return requests.request(headers=headers, timeout=60, allow_redirects=False, **given)


def operations(schema: dict[str, Any]) -> Iterator[Any]:
    for found in schemathesis.openapi.from_dict(schema).get_all_operations():
        yield found.ok()


FEW = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


def failing(answer: requests.Response, documented: set[int]) -> str:
    """What is wrong with an answer, or an empty text."""
    if answer.status_code != HTTPStatus.NO_CONTENT:
        if not answer.headers["Content-Type"].startswith("application/json"):
            return "no JSON"
        json.loads(answer.content)
    if answer.elapsed.total_seconds() > SLOW:
        return f"{answer.elapsed} for it"
    if answer.status_code >= 500 or (documented and answer.status_code not in documented | ELSEWHERE):
        return "not documented"
    return ""


def test_no_request_fails(shop: Merchant, live_server: Any, ids: list[str]) -> None:
    """Requests that Woovi's description forbids are left out: it describes too little for most operations to have any."""
    statuses, wrong = Counter[int](), []

    def ask(case: Any, documented: set[int]) -> None:
        answer = asked(live_server.url, shop.app_id, case)
        sent = answer.request
        statuses[answer.status_code] += 1
        if problem := failing(answer, documented):
            wrong.append((problem, sent.method, sent.url, sent.body, answer.status_code, answer.text[:300]))
        if answer.status_code not in ELSEWHERE:
            woovi_contract.check(sent.method or "", sent.path_url, as_django(answer))

    for schema, mode in ((ours(), Mode.POSITIVE), (ours(), Mode.NEGATIVE), (theirs(), Mode.POSITIVE)):
        for operation in operations(schema):
            if mode is Mode.NEGATIVE and operation.label in NOTHING_TO_FORBID:
                continue
            answers = schema["paths"][operation.path][operation.method]["responses"]
            documented = {int(status) for status in answers if str(status).isdigit()}
            FEW(given(case=cases(operation, ids, mode), documented=st.just(documented))(ask))()
    assert not wrong, "\n".join(map(str, wrong))
    assert statuses[200] > 50, statuses  # not everything was refused at the door
    assert statuses[400] > 50, statuses
    assert statuses[429] < 10, statuses


def as_django(answer: requests.Response) -> Any:
    return SimpleNamespace(status_code=answer.status_code, content=answer.content, json=answer.json)
