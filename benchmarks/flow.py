"""From the payer's confirmation to the merchant's screen, and how many payments a second the platform takes.

Everything runs as `manage.py up` runs it: web, worker, beat, relay and the simulated bank, on this machine's cores,
which the client of the benchmark shares. Latency counts from the moment the payer presses "pay".
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from channels.layers import get_channel_layer
from django.conf import settings
from django.test import Client
from websockets.asyncio.client import connect

from benchmarks.report import Row, medians
from payments.models import Charge, Company, User
from payments.services import charges
from realtime.wake import group
from woovi import running
from woovi.outbox.models import OutboxEvent

RATE = 20  # charges a second
PAID = 400  # charges of the latency measure
CALLERS = 4  # processes that play the bank
CALLBACKS = 600  # a round
ROUNDS = 3
Frames = list[tuple[float, dict[str, object]]]


def run() -> list[Row]:
    calm = {"latency_ms": 0, "latency_spread_ms": 0}
    with running.started(Path(os.environ["WOOVI_DATA_DIR"]), PORT="18200") as system:
        httpx.put(f"{system['bank']}/sim/faults", json=calm).raise_for_status()
        company = Company.objects.get()
        paid, woken = asyncio.run(_latency(system, company, _create(system)))
        return [
            _under("p50", paid, woken, 0.5, 150),
            _under("p99", paid, woken, 0.99, None),
            _throughput(system, company),
        ]


def _under(name: str, paid: list[float], woken: list[float], share: float, goal: int | None) -> Row:
    ours, floor = (1000 * sorted(seen)[int(share * (len(seen) - 1))] for seen in (paid, woken))
    figure = f"payer's confirmation to WebSocket frame at {RATE} charges/s, {name} (floor: a bare wake-up)"
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
    """Seconds from each payment to its frame, and from bare wake-ups, sent in between, to theirs."""
    cookie = await asyncio.to_thread(_session, company)
    url = system["web"].replace("http", "ws", 1) + "/ws/events"
    frames: Frames = []
    pressed: dict[str, float] = {}
    bare: dict[str, float] = {}
    headers = {"Cookie": cookie, "Origin": system["web"]}
    async with connect(url, additional_headers=headers) as socket, httpx.AsyncClient(base_url=system["bank"]) as bank:
        reader = asyncio.create_task(_read(socket, frames))
        start = time.perf_counter()
        for number, (correlation_id, code) in enumerate(codes.items()):
            await asyncio.sleep(start + number / RATE - time.perf_counter())
            pressed[correlation_id] = time.perf_counter()
            await bank.post("/sim/pay", json={"br_code": code, "payer": {"name": "Maria", "taxID": "52998224725"}})
            mark = f"bare-{number}"
            bare[mark] = time.perf_counter()
            await get_channel_layer().group_send(group(str(company.pk)), {"type": "wake", "topics": [mark], "id": 0})
        await asyncio.sleep(2)
        reader.cancel()
    events = await asyncio.to_thread(_completed, company)
    paid = [
        _first(frames, lambda f, event=events[c]: int(str(f.get("id", 0))) >= event) - at for c, at in pressed.items()
    ]
    woken = [_first(frames, lambda f, mark=mark: mark in str(f.get("topics"))) - at for mark, at in bare.items()]
    return paid, woken


async def _read(socket: object, frames: Frames) -> None:
    async for text in socket:  # type: ignore[attr-defined]
        frame = json.loads(text)
        if frame["type"] == "wake":
            frames.append((time.perf_counter(), frame))


def _first(frames: Frames, wanted: Callable[[dict[str, object]], bool]) -> float:
    return next(at for at, frame in frames if wanted(frame))


def _session(company: Company) -> str:
    client = Client()
    client.force_login(User.objects.filter(company=company)[0])
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


def _completed(company: Company) -> dict[str, int]:
    """Outbox ids of CHARGE_COMPLETED by the charge's correlationID."""
    rows = OutboxEvent.objects.filter(tenant=str(company.pk), topic="OPENPIX:CHARGE_COMPLETED")
    return {row.payload["charge"]["correlationID"]: row.pk for row in rows}


# ── throughput ───────────────────────────────────────────────────────────────────────────────────────────────────


def _throughput(system: running.System, company: Company) -> Row:
    seen = medians(
        ROUNDS,
        ours=lambda: _rate(system, company, settings.BANK_CALLBACK_TOKEN),
        floor=lambda: _rate(system, company, "wrong"),
    )
    figure = "paid charges through callback, credit and relayed event (floor: a callback refused at the door)"
    return Row(figure, "charges/s", seen["ours"], seen["floor"])


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
