"""Every order of two writers, a reader who looks twice, a loss of the value and a crash after the commit: nothing stale, ever.

The scripts are the real ones, at a real server; the database is a number that commits change. Orders that meet in one
state go on as one (all 240,240 pass through some thousand), which is what makes taking all of them a matter of seconds.
The naive ways, kept here as controls, are caught by the same orders.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.topologies.topologies import NAMES, Topology
from woovi import redis
from woovi.cache.scripts import INTEND, LOOK, OFFER, SETTLE

KEYS = ["v:{row}", "v:{row}:w"]
LEASE, LIFE = 60_000, 600_000
FAR = 10**15  # ms: no lease and no deadline ends by itself here


@dataclass(frozen=True)
class State:
    """Where everybody is: steps taken, the committed version, what each actor remembers, what the server holds."""

    taken: tuple[int, ...]
    version: int
    memory: tuple[Any, ...]
    value: tuple[tuple[str, str], ...]
    intents: tuple[str, ...] = ()


@dataclass
class World:
    """The state while a step is taken. `memory` is the actor's own."""

    client: Any
    version: int
    memory: Any = None
    lied: bool = False

    def show(self, found: Any) -> None:
        self.lied |= int(found) < self.version


Step = Callable[[World], None]


@dataclass
class Ways:
    """How writers and readers go about it: their steps, and what somebody who asks at the end is shown."""

    writer: Callable[[str], list[Step]]
    reader: list[Step]
    last: Step
    begin: dict[str, str] = field(default_factory=lambda: {"v": "1", "n": "1"})


def commit(world: World) -> None:
    world.version += 1


def lose(world: World) -> None:
    """Evicted, or its time was over."""
    world.client.delete(KEYS[0])


def our_writer(name: str) -> list[Step]:
    return [
        lambda world: INTEND(world.client, KEYS, [name, LEASE]),
        commit,
        lambda world: SETTLE(world.client, KEYS, [name]),
    ]


def read(world: World) -> None:
    world.memory = (world.memory, world.version)


def offering(name: str) -> Step:
    def offer(world: World) -> None:
        reply, version = world.memory
        if reply == 1:
            OFFER(world.client, KEYS, [name, version, str(version), LIFE])

    return offer


def look(world: World) -> None:
    world.memory = LOOK(world.client, KEYS, ["reader", LEASE])
    if type(world.memory) is bytes:
        world.show(world.memory)


def look_last(world: World) -> None:
    """Before the deadlines of the dead, and after them: they are later than the end of any transaction."""
    for _ in range(2):
        found = LOOK(world.client, KEYS, ["last", LEASE])
        if type(found) is bytes:
            world.show(found)
        world.client.delete(KEYS[1])


OURS = Ways(our_writer, [look, read, offering("reader")] * 2, look_last)


def get(world: World) -> None:
    world.memory = world.client.hget(KEYS[0], "v")
    if world.memory:
        world.show(world.memory)


def fill(world: World) -> None:
    found, version = world.memory
    if not found:
        world.client.hset(KEYS[0], "v", version)


def deleting(name: str) -> list[Step]:
    return [commit, lose]


def setting(name: str) -> list[Step]:
    return [commit, read, lambda world: world.client.hset(KEYS[0], "v", world.memory[1])]


def setting_if_newer(name: str) -> list[Step]:
    """Ours, but the new value is read before the intent is dropped, and not under a lease."""

    def settle(world: World) -> None:
        world.client.zrem(KEYS[1], name)
        last, version = world.client.hget(KEYS[0], "n"), world.memory[1]
        if (not last or int(last) < version) and not world.client.zcard(KEYS[1]):
            world.client.hset(KEYS[0], mapping={"v": version, "n": version})

    return [our_writer(name)[0], commit, read, settle]


DELETE = Ways(deleting, [get, read, fill], get)
SET = Ways(setting, [get, read, fill], get)
SET_IF_NEWER = replace(OURS, writer=setting_if_newer)


def explore(client: Any, ways: Ways, *, dies: bool, lost: bool) -> tuple[int, int]:
    """Take all orders. Returns how many there are, and in how many somebody is shown what is not so any more."""
    first = ways.writer("w1")
    actors = [first[: first.index(commit) + 1] if dies else first, ways.writer("w2"), ways.reader, [lose] * lost]
    begin = State((0,) * 4, 1, (None,) * 4, tuple(ways.begin.items()))
    layer, lies = Counter({(begin, False): 1}), 0  # how many orders lead to a state, and whether somebody was lied to
    for _ in range(sum(map(len, actors))):
        following: Counter[tuple[State, bool]] = Counter()
        for (state, lied), orders in layer.items():
            for actor, steps in enumerate(actors):
                if state.taken[actor] < len(steps):
                    after, lie = take(client, state, actor, steps[state.taken[actor]])
                    following[(after, lied or lie)] += orders
        layer = following
    for (state, lied), orders in layer.items():
        world = put(client, state)
        ways.last(world)
        lies += orders * (lied or world.lied)
    return layer.total(), lies


_known: dict[tuple[int, State, int, Step], tuple[State, bool]] = {}


def take(client: Any, state: State, actor: int, step: Step) -> tuple[State, bool]:
    known = (id(client), state, actor, step)
    if known not in _known:
        world = put(client, state, state.memory[actor])
        step(world)
        value = {k.decode(): v.decode() for k, v in client.hgetall(KEYS[0]).items() if k != b"u"}
        after = State(
            tuple(n + (i == actor) for i, n in enumerate(state.taken)), world.version,
            tuple(world.memory if i == actor else m for i, m in enumerate(state.memory)),
            tuple(sorted(value.items())), tuple(m.decode() for m in client.zrange(KEYS[1], 0, -1)),
        )  # fmt: skip
        _known[known] = (after, world.lied)
    return _known[known]


def put(client: Any, state: State, memory: Any = None) -> World:
    for key in KEYS:
        client.delete(key)
    if state.value:
        client.hset(KEYS[0], mapping={**dict(state.value), "u": FAR})
    if state.intents:
        client.zadd(KEYS[1], dict.fromkeys(state.intents, FAR))
    return World(client, state.version, memory)


# All of them on one topology, and on the others those in which a writer dies and the value is lost: a sixth.
CASES = [("valkey", dies, lost) for dies in (False, True) for lost in (False, True)]
CASES += [(name, True, True) for name in NAMES[1:]]


@pytest.mark.parametrize(("topology", "dies", "lost"), CASES, indirect=["topology"])
def test_no_order_shows_an_old_value(everywhere: Topology, dies: bool, lost: bool) -> None:
    _known.clear()
    orders, lies = explore(redis.client("locks"), OURS, dies=dies, lost=lost)
    steps = [2 if dies else 3, 3, 6, int(lost)]
    assert orders == math.factorial(sum(steps)) // math.prod(map(math.factorial, steps))  # all of them
    assert lies == 0


@pytest.mark.parametrize("ways", [DELETE, SET], ids=["delete", "set"])
@pytest.mark.parametrize("dies", [False, True])
def test_the_naive_ways_are_caught_by_the_same_orders(server: Topology, ways: Ways, dies: bool) -> None:
    _known.clear()
    orders, lies = explore(redis.client("locks"), ways, dies=dies, lost=False)
    assert lies > orders / 20


def test_a_set_if_newer_is_caught_once_the_newer_value_is_lost(server: Topology) -> None:
    """Why the new value is read under a lease, and not set by its version alone."""
    _known.clear()
    assert explore(redis.client("locks"), SET_IF_NEWER, dies=False, lost=True)[1] > 0
