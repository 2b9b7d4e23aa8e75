"""The requests of plugins and SDKs, as read from their packages (`recorded_requests.json`), get what these read of the answer.

All of them go to one company: its set-up costs more than they do.
"""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from payments.services import companies, customers, payments, subaccounts
from payments.services.charges import receiving
from payments.services.payments import PaymentOrder
from tests.bank_process import BankProcess
from tests.payments import making
from tests.payments.api import woovi_contract
from tests.payments.api.conftest import Merchant
from tests.payments.api.test_plugins import GONE, at
from tests.payments.api.test_subaccounts import opened
from tests.receiver import Receiver, serve

pytestmark = pytest.mark.django_db(transaction=True)
PACKAGES = json.loads(Path(__file__).with_name("recorded_requests.json").read_text())["packages"]
PNG = b"\x89PNG"


def things(shop: Merchant, receiver: Receiver) -> dict[str, str]:
    """One of everything that a request may name."""
    now = timezone.now()
    shop.company.day_limit = 100_000_00
    shop.company.save()
    paid = making.charge(shop.company, 50_000, correlation_id="paid", expires_at=now + timedelta(hours=1))
    pix = receiving.receive(making.pix(paid, paid_at=now), now)
    loose = receiving.receive(making.pix(pix_key=shop.company.pix_key, value=50_000, paid_at=now), now)
    assert pix
    assert loose
    for name in ("active", "gone"):
        assert shop.post("/api/v1/charge", {"correlationID": name, "value": 1000}).status_code == 200
    customers.create(shop.company, customers.CustomerRequest("Bia", "cliente-1", making.BIA))
    payments.create(shop.company, PaymentOrder("pagamento", 100, pix_key="ana@exemplo.com"))
    opened(shop, "ana@exemplo.com", "Ana")
    subaccounts.credit(shop.company, "ana@exemplo.com", 500)
    webhook = shop.post("/api/v1/webhook", {"webhook": {"name": "a", "url": receiver.url}}).json()["webhook"]
    active = shop.get("/api/v1/charge/active").json()["charge"]
    return {
        "active": "active", "gone": "gone", "paid": "paid", "link": active["paymentLinkID"], "code": active["brCode"],
        "e2e": loose.end_to_end_id, "account": shop.get("/api/v1/account").json()["accounts"][0]["accountId"],
        "webhook": webhook["id"], "receiver": receiver.url, "key": shop.company.pix_key,
        "other": making.company().pix_key, "tomorrow": (now + timedelta(days=1)).isoformat(),
    }  # fmt: skip


def filled(value: Any, names: dict[str, str]) -> Any:
    text = json.dumps(value)
    for name, found in {**names, "u": uuid.uuid4().hex, "hex25": uuid.uuid4().hex[:25]}.items():
        text = text.replace(f"{{{name}}}", found)
    return json.loads(text)


def replayed(shop: Merchant, package: dict[str, Any], request: dict[str, Any], names: dict[str, str]) -> Any:
    if "{client}" in json.dumps(request):
        names = {**names, "client": companies.issue_application(shop.company, "To be deleted")[0].client_id}
    wanted = filled({**request, "headers": {**package["headers"], **request.get("headers", {})}}, names)
    method, _, path = wanted["request"].partition(" ")
    headers, body = wanted["headers"], wanted.get("body")
    kind = wanted.get("type") or headers.pop("Content-Type", "")
    headers.pop("Content-Type", None)
    if not request.get("anonymous"):
        headers["Authorization"] = shop.app_id
    data = b"" if body is None else json.dumps(body).encode()
    answer = Client(headers=headers, raise_request_exception=False).generic(method, path, data, kind)
    woovi_contract.check(method, path, answer)
    return answer


def test_every_package_gets_what_it_reads(shop: Merchant, bank: BankProcess) -> None:
    wrong = []
    with serve() as receiver:
        names = things(shop, receiver)
        for package in PACKAGES:
            for request in package["requests"]:
                answer = replayed(shop, package, request, names)
                told = f"{package['package']}: {request['request']}: {answer.status_code} {answer.content[:300]!r}"
                if answer.status_code != request.get("status", 200):
                    wrong.append(told)
                elif request.get("png"):
                    assert answer.content.startswith(PNG), told
                elif missing := [field for field in request["has"] if at(answer.json(), field) is GONE]:
                    wrong.append(f"{missing} {told}")
    assert not wrong, "\n".join(wrong)


def test_the_check_itself_finds_what_is_wrong(shop: Merchant, bank: BankProcess) -> None:
    package = {"headers": {}}
    answer = replayed(shop, package, {"request": "GET /api/v1/charge/none", "anonymous": True}, {})
    assert answer.status_code == 401
    assert at(answer.json(), "errors.0.message") == "appID inválido"
    assert at(answer.json(), "errors.1") is at(answer.json(), "error") is GONE
