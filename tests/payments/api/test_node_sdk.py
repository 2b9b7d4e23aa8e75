"""Woovi's published SDK for Node cannot tell the difference. `tests.node_sdk` fetches it, `node_sdk.mjs` drives it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from payments.services.charges import receiving
from tests import node_sdk
from tests.bank_process import BankProcess
from tests.payments import making
from tests.payments.api.conftest import Merchant, merchant

pytestmark = pytest.mark.django_db(transaction=True)
SCRIPT = Path(__file__).with_name("node_sdk.mjs")


@pytest.fixture
def shop(live_server: Any, settings: Any, bank: BankProcess) -> Merchant:
    settings.PUBLIC_URL = live_server.url
    made = merchant()
    receiving.receive(making.pix(pix_key=made.company.pix_key, value=5000))
    return made


def test_every_client_of_the_sdk_works(shop: Merchant, live_server: Any) -> None:
    index, node = node_sdk.required(), node_sdk.program("node")
    assert node
    command = [node, str(SCRIPT), str(index), live_server.url, shop.app_id, shop.company.pix_key]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    failed = [f"{step['name']}: {step['error']}" for step in steps if not step["ok"]]
    assert not failed, "\n".join([*failed, done.stderr])
    assert (done.returncode, len(steps)) == (0, 36), done.stderr
