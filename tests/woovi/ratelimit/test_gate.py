"""In front of Django: floods, lists, load, and the handshakes of WebSockets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.topologies.fixtures import on_valkey
from tests.topologies.topologies import Topology
from tests.woovi.ratelimit.test_middleware import site
from tests.woovi.ratelimit.test_without_redis import commands
from woovi.ratelimit import store
from woovi.ratelimit.address import Networks
from woovi.ratelimit.flood import Sketch
from woovi.ratelimit.gate import gate
from woovi.ratelimit.line import Line

__all__ = ["site"]


@pytest.fixture(autouse=True)
def own(site: None, settings: Any) -> None:
    settings.RATE_LIMIT_IMPORTANCE = "tests.woovi.ratelimit.site.importance"
    settings.RATE_LIMIT_STREAMS = {"/stream"}
    settings.RATE_LIMIT_IN_FLIGHT = 10
    settings.RATE_LIMIT_STRANGERS = 100


class Site:
    """An application behind the gate, which answers 200 or accepts; `hold` keeps requests inside until it is set."""

    def __init__(self) -> None:
        self.reached = 0
        self.hold: asyncio.Event | None = None
        self.app = gate(self._app)

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        self.reached += 1
        if self.hold:
            await self.hold.wait()
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
        else:
            await send({"type": "http.response.start", "status": 200, "headers": []})

    async def ask(self, peer: str, who: str = "", kind: str = "http", **more: Any) -> dict[str, Any]:
        """The first message that is sent back, with its headers as a dictionary."""
        sent: list[dict[str, Any]] = []
        headers = [(b"x-who", who.encode()), *more.pop("headers", [])]
        path = more.pop("path", "/")
        scope = {"type": kind, "path": path, "client": (peer, 1), "headers": headers, "extensions": more}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.app(scope, None, send)  # type: ignore[arg-type]
        first = sent[0]
        return {**first, "headers": {k.decode(): v.decode() for k, v in first.get("headers", [])}}


async def statuses(site: Site, peers: list[str], **fields: Any) -> list[int]:
    return [(await site.ask(peer, **fields))["status"] for peer in peers]


@on_valkey
def test_a_network_that_floods_is_refused_without_redis(topology: Topology) -> None:
    async def run() -> None:
        site = Site()
        seen = await statuses(site, [f"203.0.113.{n % 250}" for n in range(150)])
        assert seen.count(200) == 50
        assert seen.count(429) == 100
        assert site.reached == 50
        assert await statuses(site, ["198.51.100.1"]) == [200]
        assert set(await statuses(site, ["203.0.113.1"] * 20, who="friend")) == {200}

    before = commands(topology)
    asyncio.run(run())
    assert commands(topology) == before


def test_a_flood_from_everywhere_leaves_room_for_who_is_known() -> None:
    async def run() -> None:
        site = Site()
        seen = await statuses(site, [f"{n // 250 + 1}.{n % 250}.0.1" for n in range(600)])
        assert 200 <= seen.count(200) < 250
        assert set(await statuses(site, ["99.0.0.1"] * 50, who="friend")) == {200}
        assert (await site.ask("98.0.0.1"))["headers"]["retry-after"] == "1"

    asyncio.run(run())


def test_a_shadow_lets_the_flood_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    from dataclasses import replace

    shadows = {name: replace(policy, mode="shadow") for name, policy in store.shipped().items()}
    monkeypatch.setattr(store._store, "_limits", store.Limits(shadows))
    site = Site()
    assert set(asyncio.run(statuses(site, ["203.0.113.1"] * 300))) == {200}


def test_lists_and_the_address_behind_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = store.Limits(store.shipped(), allow=Networks(["127.0.0.1"]), deny=Networks(["203.0.113.0/24"]))
    monkeypatch.setattr(store._store, "_limits", limits)

    async def run() -> None:
        site = Site()
        assert await statuses(site, ["203.0.113.5"]) == [403]
        behind = [(b"x-forwarded-for", b"8.8.8.8"), (b"x-forwarded-for", b"203.0.113.5")]
        assert await statuses(site, ["10.0.0.1"], headers=behind) == [403]
        assert set(await statuses(site, ["127.0.0.1"] * 300)) == {200}

    asyncio.run(run())


def test_refusals_name_their_request_and_are_json_where_programs_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = store.Limits(store.shipped(), deny=Networks(["203.0.113.0/24"]))
    monkeypatch.setattr(store._store, "_limits", limits)

    async def run() -> None:
        site, page = Site(), [(b"accept", b"text/html")]
        program = await site.ask("203.0.113.5", path="/api/v1/charge", headers=page)
        person = await site.ask("203.0.113.5", path="/login", headers=page)
        kinds = [each["headers"]["content-type"] for each in (program, person)]
        assert kinds == ["application/json", "text/html; charset=utf-8"]
        assert len({each["headers"]["x-request-id"] for each in (program, person)} - {""}) == 2

    asyncio.run(run())


def test_when_it_is_full_the_critical_comes_in() -> None:
    async def run() -> None:
        site = Site()
        site.hold = asyncio.Event()
        ordinary = [asyncio.create_task(site.ask("30.1.0.1")) for _ in range(10)]
        await asyncio.sleep(0)
        critical = [asyncio.create_task(site.ask("30.1.0.1", who="bank")) for _ in range(2)]
        await asyncio.sleep(0)
        assert site.reached == 10
        shed = await site.ask("30.1.0.2")
        assert (shed["status"], shed["headers"]["retry-after"]) == (503, "1")
        site.hold.set()
        seen = [(await task)["status"] for task in ordinary]
        assert (seen.count(200), seen.count(503)) == (8, 2)
        assert [(await task)["status"] for task in critical] == [200, 200]
        assert (await site.ask("30.1.0.2"))["status"] == 200  # all places were given back

    asyncio.run(run())


def test_strangers_wait_in_line_and_who_is_known_goes_past_it(settings: Any) -> None:
    settings.RATE_LIMIT_STRANGERS = 2

    async def run() -> None:
        site = Site()
        site.hold = asyncio.Event()
        strangers = [asyncio.create_task(site.ask(f"{n}.0.0.1")) for n in range(131, 191)]
        await asyncio.sleep(0)
        assert site.reached == 2
        known = asyncio.create_task(site.ask("99.0.0.1", who="friend"))
        await asyncio.sleep(0)
        assert site.reached == 3
        site.hold.set()
        assert (await known)["status"] == 200
        seen = [(await task)["status"] for task in strangers]
        assert (seen.count(200), seen.count(503)) == (52, 8)  # two at once, fifty in line

    asyncio.run(run())


def test_in_a_flood_strangers_come_in_one_at_a_time(settings: Any) -> None:
    settings.RATE_LIMIT_STRANGERS = 4

    async def most_inside(flood: int) -> int:
        """How many of sixty strangers are let in at once, after so many others within a moment."""
        site = Site()
        await statuses(site, [f"{n // 250 + 1}.{n % 250}.0.1" for n in range(flood)])
        site.hold, site.reached = asyncio.Event(), 0
        crowd = [asyncio.create_task(site.ask(f"{n}.9.0.1")) for n in range(131, 191)]
        await asyncio.sleep(0)
        inside = site.reached
        site.hold.set()
        await asyncio.gather(*crowd)
        return inside

    assert asyncio.run(most_inside(flood=600)) <= 1
    assert asyncio.run(most_inside(flood=50)) == 4  # the negative control


def test_who_waits_in_line_too_long_is_told_to_come_back() -> None:
    async def run() -> None:
        line = Line(lambda: 1, patience=0.01)
        assert await line.enter()
        assert not await line.enter()
        line.leave()
        assert await line.enter()

    asyncio.run(run())


def test_a_place_in_line_is_never_lost() -> None:
    """Whoever gives up or is cut off, in whatever moment, takes no place with it; and who came first is served first."""

    async def run() -> None:
        room = 2
        line = Line(lambda: room, patience=5)
        assert [await line.enter() for _ in range(2)] == [True, True]
        served: list[int] = []

        async def one(number: int) -> None:
            if await line.enter():
                served.append(number)

        crowd = [asyncio.create_task(one(number)) for number in range(6)]
        await asyncio.sleep(0)
        crowd[1].cancel()  # waits
        line.leave()
        crowd[0].cancel()  # was given its turn, and has not heard of it: the next one gets it
        await asyncio.sleep(0.01)
        assert served == [2]
        room = 1  # a flood
        line.leave()
        await asyncio.sleep(0.01)
        assert served == [2]
        for _ in range(3):
            line.leave()
            await asyncio.sleep(0.01)
        assert served == [2, 3, 4, 5]
        line.leave()
        assert await line.enter()

    asyncio.run(run())


def test_our_own_proxy_is_no_stranger(settings: Any) -> None:
    """Its health checks come in while it passes a flood on."""

    async def run() -> None:
        site = Site()
        for number in range(100):
            await site.ask("10.0.0.1", headers=[(b"x-forwarded-for", b"203.0.113.%d" % number)])
        assert (await site.ask("10.0.0.1", headers=[(b"x-forwarded-for", b"203.0.113.7")]))["status"] == 429
        assert set(await statuses(site, ["10.0.0.1"] * 300)) == {200}

    asyncio.run(run())


def test_a_page_for_browsers_and_json_for_programs() -> None:
    async def run() -> None:
        site = Site()
        await statuses(site, ["203.0.113.1"] * 50)
        page = await site.ask("203.0.113.1", headers=[(b"accept", b"text/html,*/*")])
        assert page["headers"]["content-type"].startswith("text/html")
        assert (await site.ask("203.0.113.1"))["headers"]["content-type"] == "application/json"

    asyncio.run(run())


@on_valkey
def test_handshakes_are_limited(topology: Topology) -> None:
    async def run() -> None:
        site = Site()
        kinds = [(await site.ask("203.0.113.9", kind="websocket"))["type"] for _ in range(3)]
        assert kinds == ["websocket.accept", "websocket.accept", "websocket.close"]
        told = await site.ask("203.0.113.9", kind="websocket", **{"websocket.http.response": {}})
        assert (told["type"], told["status"]) == ("websocket.http.response.start", 429)
        assert int(told["headers"]["retry-after"]) > 0
        assert (await site.ask("203.0.113.10", kind="websocket"))["type"] == "websocket.accept"

    asyncio.run(run())


def test_the_sketch_is_never_too_low_and_seldom_too_high() -> None:
    sketch = Sketch()
    for number in range(5_000):
        sketch.add(f"network {number}", 60)
    for _ in range(99):
        sketch.add("loud", 60)
    assert 100 <= sketch.add("loud", 60) <= 110
    assert sketch.add("quiet", 60) <= 10


def test_the_window_before_counts_by_what_is_left_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("woovi.ratelimit.flood.time.monotonic", lambda: now[0])
    sketch = Sketch()
    for _ in range(100):
        sketch.add("loud", 10)
    now[0] += 10
    assert sketch.add("loud", 10) == 101
    now[0] += 5
    assert 51 <= sketch.add("loud", 10) <= 52
    now[0] += 30
    assert sketch.add("loud", 10) == 1


def test_a_stream_counts_as_a_handshake_and_never_as_work() -> None:
    async def run() -> None:
        site = Site()
        assert await statuses(site, ["203.0.113.9"] * 3, path="/stream") == [200, 200, 429]
        site.hold = asyncio.Event()
        streams = [asyncio.create_task(site.ask(f"192.0.2.{n}", path="/stream")) for n in range(20)]
        while site.reached < 22:
            await asyncio.sleep(0)
        work = asyncio.create_task(site.ask("198.51.100.1"))  # 20 of them at work would have it shed
        while site.reached < 23:
            await asyncio.sleep(0)
            assert not work.done()
        site.hold.set()
        assert {(await each)["status"] for each in [*streams, work]} == {200}

    asyncio.run(run())
