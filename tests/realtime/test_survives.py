"""Nothing is missed, doubled or out of order: sockets killed at random, Redis in trouble, clients that do not read."""

from __future__ import annotations

import contextlib
import itertools
import random
import socket as sockets
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection, transaction
from redis.exceptions import RedisError
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from payments.models import Company
from tests.processes import wait_until
from tests.realtime.conftest import Server, company, merchant, numbers, receive, relay, session_of, write
from woovi import outbox, redis
from woovi.outbox.models import OutboxEvent
from woovi.outbox.relay import Relay
from woovi.pubsub import carry

pytestmark = pytest.mark.django_db(transaction=True)

EVENTS, KILLS = 5000, 200


def run(act: Callable[[], None]) -> threading.Thread:
    def closing() -> None:
        act()
        connection.close()

    thread = threading.Thread(target=closing)
    thread.start()
    return thread


@contextlib.contextmanager
def flow(of: Company, count: int, until: threading.Event | None = None) -> Iterator[None]:
    """Events are written and carried while the body runs: `count` at least, and more until `until` is set."""
    carrying, tens = Relay({"": carry}), itertools.count(step=10)

    def write_all() -> None:
        pause = threading.Event()
        while (written := next(tens)) < count or (until and not until.is_set()):
            with transaction.atomic():
                outbox.write_many(("x", str(of.pk), {"n": written + n}) for n in range(10))
            pause.wait(0.005)

    writer, relaying = run(write_all), run(carrying.run)
    try:
        yield
    finally:
        writer.join()
        carrying.stop()
        relaying.join()


@contextlib.contextmanager
def trouble(server: Server) -> Iterator[None]:
    """Redis is emptied, frozen, and killed, one after the other, while the body runs."""
    over = threading.Event()

    def make() -> None:
        while not over.wait(0.3):
            with contextlib.suppress(RedisError):
                redis.client("channels").flushall()
            over.wait(0.3)
            server.valkey.freeze()
            over.wait(0.5)
            server.valkey.thaw()
            over.wait(0.3)
            server.valkey.kill()
            server.valkey.start()

    thread = run(make)
    try:
        yield
    finally:
        over.set()
        thread.join()


def kill(page: ClientConnection) -> None:
    """As a lost network does: no closing handshake, and what was under way is gone."""
    page.socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
    with contextlib.suppress(OSError):
        page.socket.shutdown(sockets.SHUT_RDWR)


def follow(server: Server, key: str, until: int, kills: int) -> list[tuple[int, str]]:
    """What a client sees that resumes after the last number it has seen, each time that its socket is killed."""
    seen: list[tuple[int, str]] = []
    dice = random.Random(7)
    for number in range(until):
        if seen and seen[-1][0] >= until:
            assert number >= kills
            return seen
        left = dice.randrange(1, 45) if number < kills else until
        with (
            contextlib.suppress(ConnectionClosed, TimeoutError),
            server.socket(key, seen[-1][0] if seen else 0, close_timeout=0.1) as page,
        ):
            while left and (not seen or seen[-1][0] < until):
                frame = receive(page, 10)
                if frame["type"] == "event":
                    seen.append((frame["seq"], frame["id"]))
                    left -= 1
            kill(page)
    return seen


def told(of: Company) -> list[tuple[int, str]]:
    """What PostgreSQL has."""
    events = OutboxEvent.objects.filter(tenant=str(of.pk)).order_by("seq").values_list("seq", "event_id")
    return [(seq or 0, str(event_id)) for seq, event_id in events]


@pytest.mark.parametrize("redis_is", ["well", "in trouble"])
def test_a_socket_killed_200_times_sees_what_postgresql_has(server: Server, redis_is: str) -> None:
    shop = company()
    key = session_of(merchant(shop))
    around = trouble(server) if redis_is == "in trouble" else contextlib.nullcontext()
    with flow(shop, EVENTS), around:
        seen = follow(server, key, EVENTS, KILLS)
    assert seen == told(shop)
    assert [seq for seq, _ in seen] == list(range(1, EVENTS + 1))


def resident(server: Server) -> int:
    """Bytes of the server in memory."""
    return 4096 * int(Path(f"/proc/{server.process.popen.pid}/statm").read_text().split()[1])


def big(shop: Company) -> None:
    write(shop, *["x"] * 500, text="x" * 2000)
    relay()


def given_up(server: Server) -> int:
    """How many clients were, because they did not read (`tests.realtime.application`)."""
    return server.process.log().count("a client does not read")


def test_who_does_not_read_costs_little_is_closed_and_misses_nothing(server: Server) -> None:
    shop = company()
    key, already = session_of(merchant(shop)), given_up(server)
    with server.socket(key, after=0) as quick, contextlib.ExitStack() as later:
        receive(quick)
        for part in range(6):  # what the server takes once, for a stream of this company
            big(shop)
            assert numbers(quick, 500)[-1] == 500 * (part + 1)
        with server.socket(key, after=0) as late:  # and for reading what is older than its stream
            receive(late)
            assert numbers(late, 3000)[-1] == 3000
        narrow = sockets.socket()
        # Not a small SO_RCVBUF: where it is full before the window is, Linux drops, and TCP repeats later and later.
        narrow.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_WINDOW_CLAMP, 65_536)
        narrow.connect(("127.0.0.1", server.port))
        slow = later.enter_context(server.socket(key, after=0, sock=narrow, max_queue=1, ping_interval=None))
        receive(slow)
        before = resident(server)
        for part in range(6, 10):
            big(shop)
            assert numbers(quick, 500)[-1] == 500 * (part + 1)
        grown = resident(server) - before
        print(f"grown by {grown / 1e6:.2f} MB")
        assert grown < 2_000_000
        wait_until(lambda: given_up(server) > already, 60)
        last, until = 0, time.monotonic() + 120
        with contextlib.suppress(ConnectionClosed):
            while time.monotonic() < until:
                last = receive(slow, 60).get("seq", last)
        assert slow.close_code == 4008
        assert last < 5000
    with server.socket(key, after=last) as again:
        receive(again)
        assert numbers(again, 5000 - last) == list(range(last + 1, 5001))


def test_a_flood_of_merchant_2_does_not_delay_merchant_1(server: Server) -> None:
    quiet, loud = company(1), company(2)
    with server.socket(merchant(quiet)) as page, server.socket(merchant(loud)) as flooded:
        receive(page)
        receive(flooded)
        with flow(
            loud, 3000, until=(heard := threading.Event())
        ):  # a flood without an end for who waits until it is over
            try:
                write(quiet, "x")
                assert numbers(page, 1) == [1]
            finally:
                heard.set()
            assert numbers(flooded, 3000) == list(range(1, 3001))
