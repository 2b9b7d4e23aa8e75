"""Access tokens against a real server that counts what it is asked: one fetch for all, none too many after a 401."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.processes import wait_until
from tests.topologies.fixtures import on_valkey
from tests.topologies.topologies import Topology
from tests.woovi.cache.test_readthrough import age
from woovi import redis
from woovi.cache import Keyring, LoadFailed, ReadThroughCache
from woovi.cache.oauth import Grant, OAuth2TokenCache

pytestmark = pytest.mark.usefixtures("everywhere")


class Server:
    """Gives tokens t1, t2, ... and answers 401 to all that are not in `good`."""

    def __init__(self) -> None:
        self.given = 0
        self.good: set[str] = set()
        self.repeats = False  # the same dying token again and again
        self.lasts: float | None = 3600
        self.gate = threading.Event()
        self.gate.set()
        self.client = httpx.Client()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.answer(200, outer.token())

            def do_GET(self) -> None:
                token = self.headers.get("Authorization", "").removeprefix("Bearer ")
                self.answer(200 if token in outer.good else 401, {"token": token})

            def answer(self, status: int, body: dict[str, Any]) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def token(self) -> dict[str, Any]:
        self.given += 1
        token = "t1" if self.repeats else f"t{self.given}"
        if not self.repeats:
            self.good = {token}
        assert self.gate.wait(20)
        return {"access_token": token, **({"expires_in": self.lasts} if self.lasts else {})}

    def fetch(self) -> Grant:
        answer = self.client.post(f"{self.url}/token").json()
        return Grant(answer["access_token"], answer.get("expires_in"))

    def close(self) -> None:
        self.gate.set()
        self.http.shutdown()
        self.http.server_close()
        self.client.close()


@pytest.fixture
def bank() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def tokens(bank: Server, name: str = "", **options: Any) -> OAuth2TokenCache:
    options = {"min_refresh_interval": 0.05, "lease": 10, **options}
    return OAuth2TokenCache(
        name or f"token-{uuid4().hex[:8]}", bank.fetch, identity=(bank.url, "id", "secret"), **options
    )


def entry(cache: ReadThroughCache) -> str:
    return cache._entry(cache._whose).keys[0]  # type: ignore[attr-defined, no-any-return]


def test_one_fetch_for_all(bank: Server) -> None:
    first = tokens(bank)
    workers = [tokens(bank, first.name) for _ in range(10)]  # as ten processes have it
    bank.gate.clear()
    with ThreadPoolExecutor(50) as pool:
        asked = [pool.submit(workers[n % 10].get) for n in range(50)]
        wait_until(lambda: bank.given)
        bank.gate.set()
        assert {each.result(20) for each in asked} == {"t1"}
    assert bank.given == 1


def test_a_401_is_answered_by_one_more_try_with_another_token(bank: Server) -> None:
    cache = tokens(bank)
    with httpx.Client(auth=cache.auth()) as client:
        assert client.get(bank.url).status_code == 200
        bank.good = set()  # revoked
        assert client.get(bank.url).json() == {"token": "t2"}
        assert client.get(bank.url).status_code == 200
    assert bank.given == 2


@on_valkey
async def test_the_same_for_tasks(bank: Server) -> None:
    cache = tokens(bank)
    async with httpx.AsyncClient(auth=cache.auth()) as client:
        assert (await client.get(bank.url)).status_code == 200
        bank.good = set()
        answers = await asyncio.gather(*(client.get(bank.url) for _ in range(20)))
        assert {each.status_code for each in answers} == {200}
    assert bank.given == 2


@on_valkey
def test_fifty_refusals_of_an_old_token_throw_no_new_one_away(bank: Server) -> None:
    """The storm: fifty workers hold the first token, and one of them has fetched the second already."""
    cache = tokens(bank)
    first = cache.get()
    cache.reject(first)
    assert cache.get() == "t2"
    barrier = threading.Barrier(50)

    def refused() -> str:
        barrier.wait()
        cache.reject(first)
        return cache.get()

    with ThreadPoolExecutor(50) as pool:
        assert {each.result(20) for each in [pool.submit(refused) for _ in range(50)]} == {"t2"}
    assert bank.given == 2


@on_valkey
def test_a_plain_delete_on_401_is_caught(bank: Server) -> None:
    """The control: who deletes without comparing fetches again and again."""
    cache = tokens(bank, min_refresh_interval=0)
    first = cache.get()
    cache.reject(first)
    cache.get()
    for _ in range(3):  # three of the fifty
        ReadThroughCache.invalidate(cache, **cache._whose)
        cache.get()
    assert bank.given == 5


@on_valkey
def test_a_server_that_repeats_the_dying_token_is_asked_once_an_interval(bank: Server) -> None:
    bank.repeats = True
    cache = tokens(bank, min_refresh_interval=60, lease=0.2)
    with httpx.Client(auth=cache.auth()) as client:
        for _ in range(3):
            with pytest.raises(LoadFailed, match="not again for"):
                client.get(bank.url)
    assert bank.given == 1


@on_valkey
def test_an_old_fetch_that_ends_after_an_invalidation_does_not_win(bank: Server) -> None:
    cache = tokens(bank)
    bank.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(cache.get)
        wait_until(lambda: bank.given)
        cache.invalidate(**cache._whose)
        bank.gate.set()
        assert asked.result(20) == "t1"
    assert cache.get() == "t2"
    assert cache.get() == "t2"


@on_valkey
def test_it_is_refreshed_ahead_while_the_old_one_is_used(bank: Server) -> None:
    cache = tokens(bank, refresh_ahead=0.2)
    cache.get()
    age(cache, 3570 * 0.85, **cache._whose)
    assert cache.get() == "t1"
    wait_until(lambda: cache.get() == "t2")
    assert bank.given == 2


@on_valkey
def test_none_is_used_past_its_end(bank: Server) -> None:
    bank.lasts = 100
    cache = tokens(bank, leeway=30)
    cache.get()
    client: Any = redis.client("cache")
    assert client.pttl(entry(cache)) <= 70_000
    age(cache, 71, **cache._whose)
    assert cache.get() == "t2"


@on_valkey
def test_without_an_end_nothing_is_kept(bank: Server) -> None:
    bank.lasts = None
    cache = tokens(bank, min_refresh_interval=60)
    assert [cache.get() for _ in range(3)] == ["t1", "t2", "t3"]
    assert not redis.client("cache").hexists(entry(cache), "v")


@on_valkey
def test_another_identity_has_another_token(bank: Server) -> None:
    cache = tokens(bank)
    cache.get()
    other = OAuth2TokenCache(cache.name, bank.fetch, identity=(bank.url, "id", "another secret"))
    assert other.get() == "t2"


@on_valkey
def test_what_is_kept_is_sealed_to_its_name_and_its_key(bank: Server) -> None:
    cache, client = tokens(bank), redis.client("cache")
    cache.get()
    sealed: Any = client.hget(entry(cache), "v")
    assert b"t1" not in sealed

    OAuth2TokenCache(cache.name, bank.fetch, identity=(bank.url, "id", "of another tenant")).get()
    moved = OAuth2TokenCache(cache.name, bank.fetch, identity=(bank.url, "id", "of another tenant"))
    client.hset(entry(moved), "v", sealed)
    assert moved.get() == "t3"  # it does not open there: fetched anew

    rotated = OAuth2TokenCache(
        cache.name, bank.fetch, identity=(bank.url, "id", "secret"), keyring=Keyring(["new", str(settings_key())])
    )
    assert rotated.get() == "t1"
    gone = OAuth2TokenCache(cache.name, bank.fetch, identity=(bank.url, "id", "secret"), keyring=Keyring(["new"]))
    assert gone.get() == "t4"


def settings_key() -> str:
    from django.conf import settings

    return str(settings.SECRET_KEY)


def test_without_redis_each_process_keeps_its_own(bank: Server, everywhere: Topology) -> None:
    cache = tokens(bank)
    for server in everywhere.servers:
        server.kill()
    assert {cache.get() for _ in range(20)} == {"t1"}
    bank.good = set()
    with httpx.Client(auth=cache.auth()) as client:
        assert client.get(bank.url).json() == {"token": "t2"}
    assert bank.given == 2
    everywhere.heal()
    wait_until(lambda: cache.get() == "t3")
    assert tokens(bank, cache.name).get() == "t3"
