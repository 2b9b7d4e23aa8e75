"""The npm client `graphql-ws` as the peer: it understands the close codes, and misses nothing however often its socket is torn."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from benchmarks import peers
from payments.services import companies
from tests.realtime.conftest import Server, company
from tests.realtime.test_survives import flow, told, trouble

pytestmark = pytest.mark.django_db(transaction=True)

CLIENT = Path(__file__).parent / "graphql_client.mjs"
PACKAGES = ("ws@8.18.3", "graphql@16.11.0", "graphql-ws@6.0.6")
# Of the client's socket. By hand, TEARS=200 is the long one, in which Redis is emptied, frozen and killed meanwhile.
TEARS = int(os.environ.get("TEARS", "20"))
EVENTS = 25 * TEARS


def test_the_real_client_misses_nothing_and_knows_the_close_codes(server: Server) -> None:
    try:
        folder = peers.node(*PACKAGES)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        folder = None
    if folder is None:
        pytest.skip("npm could not fetch it; tests/realtime/test_graphql.py asks the same by a client of Python's")
    shop = company()
    key = companies.issue_application(shop, "test")[1]
    asked = {"url": f"ws://127.0.0.1:{server.port}/graphql", "key": key, "wrong": "x", "last": EVENTS, "kills": TEARS}
    around = trouble(server) if "TEARS" in os.environ else contextlib.nullcontext()
    with flow(shop, EVENTS), around:
        done = subprocess.run(
            ["node", str(CLIENT), str(folder), json.dumps(asked)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["query"] == {"company": {"tradeName": "Loja 1"}}
    assert found["codes"] == {
        "a wrong key": 4403, "no JSON": 4400, "subscribes first": 4401, "says nothing": 4408, "begins twice": 4429,
        "the same id": 4409,
    }  # fmt: skip
    assert [tuple(each) for each in found["seen"]] == told(shop)
    assert [number for number, _ in found["seen"]] == list(range(1, EVENTS + 1))
    assert found["kills"] > TEARS / 2, "a control: it was torn"
    print(f"torn {found['kills']} times over {EVENTS} events in {found['took'] / 1000:.1f} s")
