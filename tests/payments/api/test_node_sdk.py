"""Woovi's published SDK for Node cannot tell the difference. `tests.node_sdk` fetches it, `node_sdk.mjs` drives it."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from payments.models import WebhookDelivery
from payments.services.charges import receiving
from payments.services.webhooks import deliveries
from tests import node_sdk
from tests.bank_process import BankProcess
from tests.payments import making
from tests.payments.api.conftest import Merchant, merchant
from woovi.outbox.models import OutboxEvent

pytestmark = pytest.mark.django_db(transaction=True)
SCRIPT = Path(__file__).with_name("node_sdk.mjs")
SECONDS = 180


@pytest.fixture
def shop(live_server: Any, settings: Any, bank: BankProcess) -> Merchant:
    settings.PUBLIC_URL = live_server.url
    made = merchant()
    receiving.receive(making.pix(pix_key=made.company.pix_key, value=5000))
    return made


def deliver(relayed: set[int]) -> None:
    """Once what the relay and the webhooks' worker do all the time: each event is relayed once, to who listens then."""
    events = list(OutboxEvent.objects.filter(topic="OPENPIX:CHARGE_COMPLETED").exclude(pk__in=relayed))
    deliveries.fan_out(events)
    relayed.update(event.pk for event in events)
    for pk in WebhookDelivery.objects.filter(status="PENDING", attempts=0).values_list("pk", flat=True):
        deliveries.deliver(pk, 0)


def test_every_client_of_the_sdk_works(shop: Merchant, live_server: Any, tmp_path: Path) -> None:
    index, node = node_sdk.required(), node_sdk.program("node")
    assert node
    keys = [shop.company.pix_key, making.company().pix_key]
    command = [node, str(SCRIPT), str(index), live_server.url, shop.app_id, *keys]
    told, deadline, relayed = tmp_path / "steps", time.monotonic() + SECONDS, set[int]()
    with told.open("w") as out, subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT) as script:
        while script.poll() is None:
            deliver(relayed)
            time.sleep(0.05)
            if time.monotonic() > deadline:
                script.kill()
    lines = told.read_text().splitlines()
    steps = [json.loads(line) for line in lines if line.startswith("{")]
    assert not [f"{step['name']}: {step['error']}" for step in steps if not step["ok"]]
    assert (script.returncode, len(steps)) == (0, 55), lines
