"""What plugins and SDKs really send: `plugin_inputs.json` has it by kind, with who sends it and what is right."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from payments.models import Charge, Refund, WebhookEndpoint
from payments.services.charges import receiving
from tests.bank_process import BankProcess
from tests.payments import making
from tests.payments.api.conftest import Merchant
from tests.receiver import serve

pytestmark = pytest.mark.django_db
INPUTS = json.loads(Path(__file__).with_name("plugin_inputs.json").read_text())
CASES = [pytest.param(case, id=f"{kind}: {case['source']}") for kind, cases in INPUTS.items() for case in cases]
GONE = object()


@pytest.fixture
def fill(shop: Merchant, bank: BankProcess) -> Iterator[Callable[[Any], Any]]:
    """What a case may name: a charge `paid`, any new text {u}, and a {receiver} of webhooks."""
    now = timezone.now()
    charge = making.charge(shop.company, 1000, correlation_id="paid", expires_at=now + timedelta(hours=1))
    receiving.receive(making.pix(charge, paid_at=now), now)
    receiving.receive(making.pix(pix_key=shop.company.pix_key, paid_at=now), now)  # enough to give all of it back
    with serve() as receiver:
        names = {"{u}": uuid.uuid4().hex, "{receiver}": receiver.url}

        def filled(value: Any) -> Any:
            text = json.dumps(value)
            for name, found in names.items():
                text = text.replace(name, found)
            return json.loads(text)

        yield filled


def at(found: Any, path: str) -> Any:
    for part in path.split("."):
        try:
            found = found[int(part) if part.isdigit() else part]
        except (KeyError, IndexError):
            return GONE
    return found


@pytest.mark.parametrize("case", CASES)
def test_what_plugins_send(shop: Merchant, fill: Callable[[Any], Any], case: dict[str, Any]) -> None:
    before = [model.objects.count() for model in (Charge, Refund, WebhookEndpoint)]
    path = case["path"]
    answer = shop.get(path) if case.get("method") == "GET" else shop.post(path, fill(case["body"]))
    if "refused" in case:
        assert answer.status_code == 400, answer.content
        assert case["refused"] in answer.json()["error"]
        assert before == [model.objects.count() for model in (Charge, Refund, WebhookEndpoint)]
        return
    assert answer.status_code == 200, answer.content
    right = fill(case["right"])
    assert {where: at(answer.json(), where) for where in right} == right
    assert {where: at(answer.json(), where) for where in case.get("absent", [])} == dict.fromkeys(
        case.get("absent", []), GONE
    )
