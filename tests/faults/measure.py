"""What a person sees of each fault of Redis, in seconds: `python -m tests.faults.measure`. docs/operations.md has its table.

It runs the platform on a Redis of its own, and for each fault opens a page, creates a charge, pays it at the simulated
bank, and waits for the event's frame and for the webhook.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import redis
from websockets.sync.client import ClientConnection, connect

from payments.management.demo.clients import Merchant, Shopper
from tests.processes import Valkey, own_valkey
from tests.receiver import Receiver, serve
from woovi.local.running import System, started

LONGEST = 30.0  # seconds


@contextlib.contextmanager
def well(server: Valkey) -> Iterator[None]:
    yield


@contextlib.contextmanager
def frozen(server: Valkey) -> Iterator[None]:
    server.freeze()
    yield
    server.thaw()


@contextlib.contextmanager
def stopped(server: Valkey) -> Iterator[None]:
    server.kill()
    yield
    server.start()


@contextlib.contextmanager
def flushed(server: Valkey) -> Iterator[None]:
    with redis.Redis(unix_socket_path=str(server.socket)) as direct:
        direct.flushall()
    yield


@contextlib.contextmanager
def full(server: Valkey) -> Iterator[None]:
    with redis.Redis(unix_socket_path=str(server.socket)) as direct:
        direct.config_set("maxmemory", 1)
        yield
        direct.config_set("maxmemory", 0)


def took(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def until_event(page: ClientConnection, correlation_id: str) -> None:
    deadline = time.monotonic() + LONGEST
    while correlation_id not in (frame := str(page.recv(max(deadline - time.monotonic(), 0.1)))):
        if json.loads(frame)["type"] == "pace":
            print("        the page is told:", frame)


def until_webhook(merchant: Receiver, correlation_id: str) -> None:
    deadline = time.monotonic() + LONGEST
    while not any(correlation_id in got.body.decode() and b"COMPLETED" in got.body for got in merchant.got):
        if time.monotonic() > deadline:
            return
        time.sleep(0.02)


def measure(system: System, server: Valkey, fault: Callable[[Valkey], contextlib.AbstractContextManager[None]]) -> None:
    api, bank = Merchant(system["web"], system["app_id"]), Shopper(system["bank"])
    browser = httpx.Client(base_url=system["web"], timeout=60)
    with serve() as receiver:
        hook = {"name": "m", "event": "OPENPIX:CHARGE_COMPLETED", "url": receiver.url, "isActive": True}
        api.call("POST", "/webhook", {"webhook": hook})
        with logged_in(browser, system) as page:
            page.recv(10)
            seen = {}
            with fault(server):
                seen["page"] = took(lambda: browser.get("/").raise_for_status())
                made: dict[str, str] = {}
                body = {"correlationID": uuid.uuid4().hex, "value": 1000}
                seen["charge"] = took(lambda: made.update(api.call("POST", "/charge", body)["charge"]))
                seen["paid"] = took(lambda: bank.pay(made["brCode"]))
                seen["frame"] = took(lambda: until_event(page, made["correlationID"]))
                seen["webhook"] = took(lambda: until_webhook(receiver, made["correlationID"]))
                health = httpx.get(f"{system['web']}/healthz", timeout=30)
                seen["healthz"] = health.elapsed.total_seconds()
            print(
                f"{fault.__name__:<8}", {name: round(each, 2) for name, each in seen.items()}, health.json()["status"]
            )
            if seen["webhook"] >= LONGEST:
                seen = {"webhook, once it is mended": took(lambda: until_webhook(receiver, made["correlationID"]))}
                print(f"{'':<8}", {name: round(each, 2) for name, each in seen.items()})


@contextlib.contextmanager
def logged_in(browser: httpx.Client, system: System) -> Iterator[ClientConnection]:
    browser.get("/login")
    token = next(value for name, value in browser.cookies.items() if name.startswith("csrftoken"))
    who = {"username": system["merchant"]["user"], "password": system["merchant"]["password"]}
    browser.post("/login", data={**who, "csrfmiddlewaretoken": token}, headers={"Referer": system["web"]})
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    url = system["web"].replace("http", "ws", 1) + "/ws/events"
    with connect(url, additional_headers={"Cookie": cookies}, origin=system["web"], max_size=None) as page:
        yield page


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="woovi-faults-") as folder,
        own_valkey() as server,
        started(Path(folder) / "data", REDIS_URL=server.url, PORT="0", WOOVI_ENV="development") as system,
    ):
        for fault in (well, flushed, full, frozen, stopped):
            try:
                measure(system, server, fault)
            except Exception as error:
                print(f"{fault.__name__:<8} {type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
