"""A storm: many payers at once, callbacks doubled and out of order, and processes killed at random all the while."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row

from tests.processes import wait_until
from woovi.local.embedded.layout import Layout, database_url
from woovi.local.running import System

PAYERS = 8
KILLED = ("web", "worker", "relay")
VALUE = 1_000  # centavos of each charge
SETTLE_SECONDS = 90.0


class Server(ThreadingHTTPServer):
    request_queue_size = 128  # with five, a worker's threads find the door shut and come back half a minute later


class Inbox:
    """What the merchant's server was told: every webhook's event id, by charge. It is up all the time; what calls it is not."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.ids: dict[str, list[str]] = defaultdict(list)


@contextlib.contextmanager
def listening() -> Iterator[Inbox]:
    """The merchant's server."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if "charge" in body:
                inbox.ids[body["charge"]["correlationID"]].append(self.headers["X-Webhook-Event-Id"])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        inbox = Inbox(f"http://127.0.0.1:{server.server_port}/")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield inbox
        finally:
            server.shutdown()


def register(system: System, inbox: Inbox) -> None:
    """Have the merchant told of every charge that is paid."""
    webhook = {"name": "storm", "event": "OPENPIX:CHARGE_COMPLETED", "url": inbox.url, "isActive": True}
    headers = {"Authorization": system["app_id"]}
    url = f"{system['web']}/api/v1/webhook"
    httpx.post(url, json={"webhook": webhook}, headers=headers, timeout=30).raise_for_status()


def create_charges(system: System, count: int, name: str = "") -> dict[str, str]:
    """BR Codes by correlationID, which has `name` in it."""
    with httpx.Client(base_url=system["web"], headers={"Authorization": system["app_id"]}, timeout=30) as api:

        def create(number: int) -> tuple[str, str]:
            body = {"correlationID": f"storm-{name}{number}", "value": VALUE}
            answer = api.post("/api/v1/charge", json=body).raise_for_status().json()
            return body["correlationID"], answer["brCode"]

        with ThreadPoolExecutor(4) as pool:
            return dict(pool.map(create, range(count)))


def pay(bank: str, codes: list[str]) -> None:
    """One payer: pays its codes, each one's callback sent twice by the bank, some overtaken by later ones."""
    with httpx.Client(base_url=bank, timeout=30) as http:
        for code in codes:
            payer = {"name": "Maria Silva", "taxID": "52998224725"}
            body = {"br_code": code, "payer": payer, "callback": "duplicate"}
            http.post("/sim/pay", json=body).raise_for_status()


def repeat_callbacks(system: System, token: str, stop: threading.Event, seed: int) -> None:
    """Somebody repeats what the bank has told, in any order, while it goes on."""
    dice = random.Random(seed)
    with psycopg.connect(database(system), autocommit=True) as db, httpx.Client(timeout=5) as http:
        while not stop.wait(0.02):
            query = "SELECT end_to_end_id, txid, value, pix_key, paid_at FROM bank_sim.simulator_pix"
            rows = db.execute(query).fetchall()
            for row in dice.sample(rows, min(len(rows), 10)):
                end_to_end_id, txid, value, key, at = row
                reais = f"{value // 100}.{value % 100:02d}"
                moment = at.isoformat().replace("+00:00", "Z")
                pix = {"endToEndId": end_to_end_id, "txid": txid, "valor": reais, "chave": key, "horario": moment}
                try:
                    headers = {"X-Bank-Callback-Token": token}
                    http.post(f"{system['web']}/bank/pix", json={"pix": [pix]}, headers=headers)
                except httpx.HTTPError:
                    continue  # the web process has just been killed


def kill_at_random(system: System, stop: threading.Event, seed: int, killed: list[str]) -> None:
    dice = random.Random(seed)
    while not stop.wait(dice.uniform(0.3, 1.5)):
        name = dice.choice(KILLED)
        try:
            os.kill(system.pids()[name], signal.SIGKILL)
        except (KeyError, ProcessLookupError, ValueError, OSError):
            continue  # it is not up again yet
        killed.append(name)


def blow(
    system: System, charges: dict[str, str], seconds: float, kinds: Collection[str] = (), seed: int = 1
) -> list[str]:
    """Pay every charge in the storm, which lasts `seconds` at least, and until one of each of `kinds` was killed.

    Returns the names of what was killed.
    """
    stop, killed = threading.Event(), list[str]()
    winds = [
        threading.Thread(target=kill_at_random, args=(system, stop, seed, killed)),
        threading.Thread(
            target=repeat_callbacks, args=(system, (system.data / "bank_callback_token").read_text(), stop, seed)
        ),
    ]
    end = time.monotonic() + seconds
    for wind in winds:
        wind.start()
    try:
        codes = list(charges.values())
        # Not in processes: one that is forked while other threads run may hang in a lock of theirs.
        with ThreadPoolExecutor(PAYERS) as pool:
            list(pool.map(pay, [system["bank"]] * PAYERS, [codes[n::PAYERS] for n in range(PAYERS)]))
        stop.wait(max(0.0, end - time.monotonic()))
        wait_until(lambda: set(killed) >= set(kinds), 60)
    finally:
        stop.set()
        for wind in winds:
            wind.join()
    return killed


def database(system: System) -> str:
    return database_url(layout=Layout.of(system.data))


def problems(system: System, inbox: Inbox, charges: dict[str, str]) -> list[str]:
    """What is wrong once the storm is over and everything had its time. Empty: every centavo and event is right."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while (found := _look(system, inbox, charges)) and time.monotonic() < deadline:
        time.sleep(0.5)
    return found


def _look(system: System, inbox: Inbox, charges: dict[str, str]) -> list[str]:
    count = len(charges)
    with psycopg.connect(database(system), autocommit=True, row_factory=dict_row) as db:

        def one(query: str) -> Any:
            row = db.execute(query).fetchone()
            assert row
            return next(iter(row.values()))

        fee = one("SELECT coalesce(sum(fee), 0)::bigint FROM payments_charge WHERE correlation_id LIKE 'storm-%'")
        found = {
            "charges COMPLETED": (
                one(
                    "SELECT count(*) FROM payments_charge WHERE correlation_id LIKE 'storm-%' AND status = 'COMPLETED'"
                ),
                count,
            ),
            "Pix booked": (one("SELECT count(*) FROM payments_receivedpix"), count),
            "Pix that went back": (one("SELECT count(*) FROM payments_refund"), 0),
            "merchant's balance": (
                one("SELECT posted FROM payments_account WHERE kind = 'MERCHANT'"),
                count * VALUE - fee,
            ),
            "money at the bank": (one("SELECT -posted FROM payments_account WHERE kind = 'CLEARING'"), count * VALUE),
            "the bank's own books": (
                one("SELECT coalesce(sum(value), 0)::bigint FROM bank_sim.simulator_movement"),
                count * VALUE,
            ),
            "events not relayed": (one("SELECT count(*) FROM outbox_outboxevent WHERE relayed_at IS NULL"), 0),
        }
        waiting = db.execute("SELECT * FROM payments_webhookdelivery WHERE status <> 'DELIVERED' LIMIT 3").fetchall()
    wrong = [f"{what}: {seen}, not {right}" for what, (seen, right) in found.items() if seen != right]
    silent = [charge for charge in charges if not inbox.ids[charge]]
    two_faced = [charge for charge in charges if len(set(inbox.ids[charge])) > 1]
    wrong += [f"{len(silent)} charges without webhook; first deliveries that wait: {waiting}"] if silent else []
    wrong += [f"{len(two_faced)} charges told under two event ids"] if two_faced else []
    return wrong
