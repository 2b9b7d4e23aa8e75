"""Subscribers: how soon and how fast events reach them, what each costs, and how many get lost; beside Channels and Node.

Every server is a process of its own, and so is the client, which is the same for all: 200 or 1,000 WebSockets, on the
cores that the servers use too. Latency is from the publisher's call (of ours: appending to the stream, of peers:
PUBLISH or group_send) to the frame; the last figure is the whole way, from the commit through the relay.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import redis as redis_py
from django.conf import settings
from django.db import connection, transaction
from django.test import Client

from benchmarks import peers
from benchmarks.report import Row
from payments.models import Company, User
from payments.services import companies
from woovi import outbox
from woovi.local.embedded.layout import Layout
from woovi.local.supervisor import listen
from woovi.outbox import claims
from woovi.outbox.relay import Relay
from woovi.pubsub import carry

HERE = Path(__file__).parent / "realtime_peers"
NODE = ("ws@8.18.3", "ioredis@6.0.0", "graphql@16.11.0", "graphql-ws@6.0.6", "graphql-redis-subscriptions@2.7.0")
QUERY = "subscription { events { seq topic data } }"
FILLER = "x" * 200
Found = dict[str, float]
Publish = Callable[[int], None]  # so many events at once


@dataclass
class Peer:
    """A server under measurement."""

    command: list[str]
    publish: Publish
    url: str = "ws://127.0.0.1:{port}/"
    headers: dict[str, str] | None = None
    query: str = ""
    env: dict[str, str] | None = None


@dataclass(frozen=True)
class Case:
    name: str
    clients: int
    rounds: int
    at_once: int
    pause: float  # seconds


PACED_200 = Case("10 events/s to 200 clients", 200, 30, 1, 0.1)
PACED_1000 = Case("2 events/s to 1,000 clients", 1000, 10, 1, 0.5)
BURST = Case("burst of 200 events to 200 clients", 200, 1, 200, 0)


def run() -> list[Row]:
    folder = peers.node(*NODE)
    assert folder, "this benchmark's client is Node's"
    everyone = _peers(folder)
    seen = {
        case.name: {name: _measure(peer, case, folder) for name, peer in everyone.items() if not peer.query}
        for case in (PACED_200, PACED_1000, BURST)
    }
    rows = []
    for case in (PACED_200, PACED_1000):
        for share in ("p50", "p99"):
            goal = "within 2 times Node ws" if case is PACED_1000 else ""
            rows.append(
                _row(f"{case.name}, {share}", "ms", share, seen[case.name], goal, lambda ours, node: ours <= 2 * node)
            )
    rows.append(
        _row(
            f"{BURST.name}",
            "deliveries/s",
            "rate",
            seen[BURST.name],
            "at least 40,000/s",
            lambda ours, _: ours >= 40_000,
        )
    )
    for case in (PACED_200, PACED_1000, BURST):
        rows.append(_row(f"{case.name}, lost", "%", "lost", seen[case.name], "nothing", lambda ours, _: ours == 0))
    rows.append(
        _row(
            "memory a connection, at 1,000",
            "KB",
            "memory",
            seen[PACED_1000.name],
            "under 60 KB",
            lambda ours, _: ours < 60,
        )
    )
    rows += _graphql(everyone, folder)
    rows.append(_whole_way(everyone["ours"], folder))
    rows.append(_numbering())
    return rows


def _graphql(everyone: dict[str, Peer], folder: Path) -> list[Row]:
    """The same by subscriptions of GraphQL, each with a peer of its own kind."""
    three = {name.removesuffix(" graphql"): peer for name, peer in everyone.items() if peer.query}
    burst, paced = (
        {name: _measure(peer, case, folder) for name, peer in three.items()} for case in (BURST, PACED_1000)
    )

    def row(figure: str, unit: str, what: str, seen: dict[str, Found], least: float = 0) -> Row:
        values = {name: round(found[what], 1) for name, found in seen.items()}
        ours = values.pop("ours")
        goal = f"at least {least:g} times Strawberry" if least else ""
        met = ours >= least * values["Strawberry"] if least else None
        return Row(f"GraphQL subscriptions, {figure}", unit, ours, None, values, goal, met)

    return [
        row(BURST.name, "deliveries/s", "rate", burst, 3),
        row(f"{BURST.name}, lost", "%", "lost", burst),
        row(f"{PACED_1000.name}, p50", "ms", "p50", paced),
        row(f"{PACED_1000.name}, p99", "ms", "p99", paced),
        row("memory a connection, at 1,000", "KB", "memory", paced),
    ]


def _row(
    figure: str, unit: str, what: str, seen: dict[str, Found], goal: str, met: Callable[[float, float], bool]
) -> Row:
    values = {name: round(found[what], 1) for name, found in seen.items()}
    ours = values.pop("ours")
    return Row(figure, unit, ours, None, values, goal, met(ours, values["Node ws"]) if goal else None)


# ── who is measured ──────────────────────────────────────────────────────────────────────────────────────────────


def _peers(folder: Path) -> dict[str, Peer]:
    valkey = str(Layout.current().valkey_socket)
    plain = redis_py.Redis(unix_socket_path=valkey)
    uvicorn = [
        sys.executable,
        "-m",
        "uvicorn",
        "--log-level",
        "warning",
        "--lifespan",
        "off",
        "--loop",
        "uvloop",
        "--port",
        "{port}",
    ]
    company, cookie = _subscriber()
    key = companies.issue_application(company, "bench")[1]

    def by_redis(count: int) -> None:
        for seq in range(count):
            plain.publish("bench", _json(t=_now(), seq=seq, topic="x", data=FILLER))

    def by_graphql(count: int) -> None:
        for seq in range(count):
            data = _json(t=_now(), filler=FILLER)
            plain.publish("bench", _json(seq=seq, topic="x", data=data))

    def by_strawberry(count: int) -> None:
        from channels_redis.pubsub import RedisPubSubChannelLayer

        async def send() -> None:
            layer = RedisPubSubChannelLayer(hosts=[f"unix://{valkey}"])
            for seq in range(count):
                message = {"type": "event", "seq": seq, "topic": "x", "data": _json(t=_now(), filler=FILLER)}
                await layer.group_send("bench", message)

        asyncio.run(send())

    def by_channels(layer_name: str) -> Publish:
        from channels_redis.core import RedisChannelLayer
        from channels_redis.pubsub import RedisPubSubChannelLayer

        kind = {"core": RedisChannelLayer, "pubsub": RedisPubSubChannelLayer}[layer_name]

        def publish(count: int) -> None:
            async def send() -> None:
                layer = kind(hosts=[f"unix://{valkey}"])
                for _ in range(count):
                    text = _json(t=_now(), data=FILLER)
                    await layer.group_send("bench", {"type": "event", "text": text})

            asyncio.run(send())

        return publish

    def channels(layer: str) -> Peer:
        env = {"LAYER": layer, "REDIS": f"unix://{valkey}"}
        return Peer([*uvicorn, "benchmarks.realtime_peers.channels:application"], by_channels(layer), env=env)

    ours = [*uvicorn, "--ws", "woovi.http.websocket:WebSocket", "benchmarks.realtime_peers.ours:application"]
    return {
        "ours": Peer(
            ours, _ours(company), "ws://127.0.0.1:{port}/ws/events", {"Cookie": cookie, "Origin": "http://localhost"}
        ),
        "Node ws": Peer(["node", str(HERE / "server.mjs"), str(folder), valkey, "ws"], by_redis),
        "Channels core": channels("core"),
        "Channels pubsub": channels("pubsub"),
        "ours graphql": Peer(
            ours,
            _ours(company),
            "ws://127.0.0.1:{port}/graphql",
            {"Authorization": key},
            "subscription { events { number topic payload } }",
        ),
        "Node graphql-ws graphql": Peer(
            ["node", str(HERE / "server.mjs"), str(folder), valkey, "graphql-ws"],
            by_graphql,
            "ws://127.0.0.1:{port}/graphql",
            query=QUERY,
        ),
        "Strawberry graphql": Peer(
            [*uvicorn, "benchmarks.realtime_peers.strawberry_channels:application"],
            by_strawberry,
            query=QUERY,
            env={"REDIS": f"unix://{valkey}"},
        ),
    }


def _subscriber() -> tuple[Company, str]:
    company = companies.onboard(official_name="B", trade_name="B", tax_id="1" * 14, pix_key="bench@example.com")
    client = Client()
    client.force_login(User.objects.create_user("bench@example.com", "secret", company=company))
    return company, f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


def _ours(company: Company) -> Publish:
    """As the relay does it: events are claimed, and a batch of them is carried in one call."""

    def publish(count: int) -> None:
        _write(company, count)
        events = claims.claim(count, 60)
        for event in events:
            event.payload = {"t": _now(), **event.payload}
        carry(events)
        claims.settle([event.id for event in events], [])

    return publish


def _write(company: Company, count: int, **payload: Any) -> None:
    with transaction.atomic():
        outbox.write_many(("x", str(company.pk), {**payload, "data": FILLER}) for _ in range(count))


def _json(**values: Any) -> str:
    return json.dumps(values, separators=(",", ":"))


def _now() -> float:
    """Milliseconds of the monotonic clock, which every process of a machine shares: Node calls it process.hrtime."""
    return round(time.monotonic() * 1000, 3)


# ── how ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def _serving(peer: Peer) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    with listen("127.0.0.1", 18_300) as free:
        port = free.getsockname()[1]
    command = [word.format(port=port) if word == "{port}" else word for word in peer.command]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **(peer.env or {})})
    try:
        if command[0] == "node":
            assert process.stdout
            port = int(process.stdout.readline())
        else:
            _wait_for(port)
        yield port, process
    finally:
        process.kill()
        process.communicate()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise TimeoutError("the server did not start")


def _resident(process: subprocess.Popen[str]) -> int:
    return 4096 * int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])


def _measure(peer: Peer, case: Case, folder: Path, publish: Publish | None = None) -> Found:
    publish = publish or peer.publish
    with _serving(peer) as (port, process):
        before = _resident(process)
        known = {
            "url": peer.url.format(port=port),
            "headers": peer.headers or {},
            "count": case.clients,
            "expected": case.clients * case.rounds * case.at_once,
            "query": peer.query,
        }
        client = subprocess.Popen(
            ["node", str(HERE / "client.mjs"), str(folder), json.dumps(known)], stdout=subprocess.PIPE, text=True
        )
        assert client.stdout
        assert client.stdout.readline() == "ready\n"
        memory = (_resident(process) - before) / case.clients / 1000
        begun = _now()
        for number in range(case.rounds):
            time.sleep(max(0.0, begun / 1000 + number * case.pause - time.monotonic()))
            publish(case.at_once)
        found: Found = json.loads(client.communicate(timeout=200)[0])
    rate = found["got"] / max(found["last"] - begun, 1) * 1000
    return {**found, "lost": 100 * found["lost"], "rate": rate, "memory": memory}


def _whole_way(ours: Peer, folder: Path) -> Row:
    """From the commit, through a relay that polls as it does in production."""
    company = Company.objects.get(tax_id="1" * 14)
    relay = Relay({"": carry})

    def carry_all() -> None:
        relay.run()
        connection.close()

    thread = threading.Thread(target=carry_all)
    thread.start()
    try:
        found = _measure(ours, PACED_200, folder, lambda count: _write(company, count, t=_now()))
    finally:
        relay.stop()
        thread.join()
    return Row(
        "the whole way, commit to frame, 200 clients, p99",
        "ms",
        round(found["p99"], 1),
        round(found["p50"], 1),
        {},
        "",
        None,
    )


# ── what numbers cost ────────────────────────────────────────────────────────────────────────────────────────────


def _numbering() -> Row:
    """Events that a relay claims and settles a second: numbered, and as it was before there were numbers."""
    plain = claims.CLAIM.replace("seq = coalesce(event.seq, numbered.seq)", "seq = event.seq").replace(
        "topic !~ '^[a-z]+:'", "false"
    )
    numbered, rates = claims.CLAIM, {"ours": [0.0], "plain": [0.0]}
    with connection.cursor() as cursor:
        for number in range(6):
            name, claims.CLAIM = ("ours", numbered) if number % 2 else ("plain", plain)
            if name == "plain":  # the index that the numbers' own took the place of
                cursor.execute("CREATE INDEX outbox_by_tenant ON outbox_outboxevent (tenant, id)")
            with transaction.atomic():
                outbox.write_many(("x", str(n % 50), {"n": n}) for n in range(5_000))
            started = time.perf_counter()
            relay = Relay({})
            while relay.once():
                pass
            rates[name].append(5_000 / (time.perf_counter() - started))
            cursor.execute("DROP INDEX IF EXISTS outbox_by_tenant")
    ours, floor = (median(rates[name][1:]) for name in ("ours", "plain"))
    figure = "events claimed and settled by one relay (floor: before there were numbers)"
    return Row.against_floor(figure, "events/s", ours, floor, 0.7)
