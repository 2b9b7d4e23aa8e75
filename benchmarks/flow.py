"""From the payer's confirmation to the merchant's screen, and how many payments a second the platform takes.

Everything runs as `manage.py up` runs it: web, workers, relay and the simulated bank, on this machine's cores,
which the client of the benchmark shares. Latency counts from the moment the payer presses "pay".
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import time
import uuid
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.test import Client
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.report import Row, medians
from payments.models import Charge, Company, User
from payments.services import charges
from woovi.local import running
from woovi.outbox.models import OutboxEvent

RATE = 20  # charges a second
PAID = 400  # charges of the latency measure
CALLERS = 4  # processes that play the bank
CALLBACKS = 600  # a round
ROUNDS = 3
Seen = dict[str, float]  # when each correlationID was told as paid


def run() -> list[Row]:
    calm = {"latency_ms": 0, "latency_spread_ms": 0}
    with running.started(Path(os.environ["WOOVI_DATA_DIR"]), PORT="18200") as system:
        httpx.put(f"{system['bank']}/sim/faults", json=calm).raise_for_status()
        company = Company.objects.get()
        paid, answered = asyncio.run(_latency(system, company, _create(system)))
        return [
            _under("p50", paid, answered, 0.5, 30),
            _under("p99", paid, answered, 0.99, None),
            _throughput(system, company),
        ]


def _under(name: str, paid: list[float], answered: list[float], share: float, goal: int | None) -> Row:
    ours, floor = (1000 * sorted(seen)[int(share * (len(seen) - 1))] for seen in (paid, answered))
    figure = f"payer's confirmation to WebSocket frame at {RATE} charges/s, {name} (floor: that socket's ping and pong)"
    return Row(figure, "ms", ours, floor, {}, f"under {goal} ms" if goal else "", ours < goal if goal else None)


# ── latency ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _create(system: running.System) -> dict[str, str]:
    """BR Codes by correlationID."""
    codes = {}
    with httpx.Client(base_url=system["web"], headers={"Authorization": system["app_id"]}, timeout=30) as api:
        for _ in range(PAID):
            body = {"correlationID": uuid.uuid4().hex, "value": 1000}
            codes[str(body["correlationID"])] = (
                api.post("/api/v1/charge", json=body).raise_for_status().json()["brCode"]
            )
    return codes


async def _latency(system: running.System, company: Company, codes: dict[str, str]) -> tuple[list[float], list[float]]:
    """Seconds from each payment to its frame, and from pings, sent in between, to their pongs."""
    cookie = await asyncio.to_thread(_session, company)
    url = system["web"].replace("http", "ws", 1) + "/ws/events"
    told: Seen = {}
    pongs: list[float] = []
    pressed: dict[str, float] = {}
    pinged: list[float] = []
    headers = {"Cookie": cookie, "Origin": system["web"]}
    async with connect(url, additional_headers=headers) as socket, httpx.AsyncClient(base_url=system["bank"]) as bank:
        reader = asyncio.create_task(_read(socket, told, pongs))
        start = time.perf_counter()
        for number, (correlation_id, code) in enumerate(codes.items()):
            await asyncio.sleep(start + number / RATE - time.perf_counter())
            pressed[correlation_id] = time.perf_counter()
            await bank.post("/sim/pay", json={"br_code": code, "payer": {"name": "Maria", "taxID": "52998224725"}})
            pinged.append(time.perf_counter())
            await socket.send("ping")
        async with asyncio.timeout(30):
            while not (pressed.keys() <= told.keys() and len(pongs) == len(pinged)):
                await asyncio.sleep(0.05)
        reader.cancel()
    answered = [pong - ping for ping, pong in zip(pinged, pongs, strict=True)]
    return [told[correlation_id] - at for correlation_id, at in pressed.items()], answered


async def _read(socket: ClientConnection, told: Seen, pongs: list[float]) -> None:
    async for text in socket:
        now, frame = time.perf_counter(), json.loads(text)
        if frame["type"] == "pong":
            pongs.append(now)
        elif frame.get("topic") == "OPENPIX:CHARGE_COMPLETED":
            told.setdefault(frame["payload"]["charge"]["correlationID"], now)


def _session(company: Company) -> str:
    client = Client()
    client.force_login(User.objects.filter(company=company)[0])
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


# ── throughput ───────────────────────────────────────────────────────────────────────────────────────────────────


def _throughput(system: running.System, company: Company) -> Row:
    seen = medians(
        ROUNDS,
        ours=lambda: _rate(system, company, settings.BANK_CALLBACK_TOKEN),
        floor=lambda: _rate(system, company, "wrong"),
    )
    figure = "paid charges through callback, credit and relayed event (floor: a callback refused at the door)"
    return Row.against_floor(figure, "charges/s", seen["ours"], seen["floor"], 0.6)


def _rate(system: running.System, company: Company, token: str) -> float:
    bodies = [_callback(charge) for charge in _registered(company)]
    address = urlsplit(system["web"]).netloc
    with ProcessPoolExecutor(CALLERS) as pool:
        list(pool.map(abs, range(CALLERS)))  # the processes exist before the clock runs
        start = time.perf_counter()
        shares = [bodies[n::CALLERS] for n in range(CALLERS)]
        list(pool.map(_post, [address] * CALLERS, [token] * CALLERS, shares))
        while token != "wrong" and OutboxEvent.objects.filter(relayed_at=None).exists():
            time.sleep(0.01)
        return CALLBACKS / (time.perf_counter() - start)


def _registered(company: Company) -> list[Charge]:
    """Charges as they are after registration. Made straight in the database: creation is not what is measured."""
    now = datetime.now(UTC)
    return Charge.objects.bulk_create(
        Charge(
            company=company, correlation_id=uuid.uuid4().hex, request_hash=b"", value=1000,
            fee=charges.fee(company, 1000), txid=uuid.uuid4().hex, expires_in=3600,
            expires_at=now + timedelta(hours=1), registered_at=now,
        )
        for _ in range(CALLBACKS)
    )  # fmt: skip


def _callback(charge: Charge) -> bytes:
    moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    end_to_end_id = f"E60701190{datetime.now(UTC):%Y%m%d%H%M}{uuid.uuid4().hex[:11]}"
    pix = {"endToEndId": end_to_end_id, "txid": charge.txid, "chave": charge.company.pix_key, "valor": "10.00",
           "horario": moment, "pagador": {"cpf": "52998224725", "nome": "Maria"}}  # fmt: skip
    return json.dumps({"pix": [pix]}).encode()


def _post(address: str, token: str, bodies: list[bytes]) -> None:
    connection = http.client.HTTPConnection(address, timeout=30)
    headers = {"Content-Type": "application/json", "X-Bank-Callback-Token": token}
    for body in bodies:
        connection.request("POST", "/bank/pix", body, headers)
        connection.getresponse().read()
