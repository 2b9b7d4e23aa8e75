"""Decisions in one round trip. Written once, as generators of script calls, which `run` and `arun` carry out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import redis as redis_py
import redis.asyncio as redis_asyncio
from redis.exceptions import RedisError

from woovi import redis
from woovi.ratelimit import local, metrics
from woovi.ratelimit.policy import Ask, Decision

LUA = Path(__file__).parent / "lua"
NAMES = ("take", "settle", "enter", "distinct", "alarm", "block")
TAKE, SETTLE, ENTER, DISTINCT, ALARM, BLOCK = (redis.Script(LUA / f"{name}.lua") for name in NAMES)

Call = tuple[redis.Script, Sequence[str], Sequence[str | int]]
T = TypeVar("T")
Steps = Generator[Call, Any, T]
AWAY = (RedisError, OSError)
NOTHING: Mapping[str, tuple[int, float]] = {}


def take(*asks: Ask) -> Decision:
    """Charge all asks, or none. Without Redis it raises nothing: each policy says what happens then."""
    return run(lambda slots: take_steps(asks, slots))


async def atake(*asks: Ask) -> Decision:
    """`take` for asyncio."""
    return await arun(lambda slots: take_steps(asks, slots))


def give_back(*asks: Ask) -> Decision:
    """Refund the charges of these asks, or reward their subjects."""
    return take(*(ask._replace(cost=-ask.cost) for ask in asks))


def run(make: Callable[[bool], Steps[T]]) -> T:
    """Run the steps of `make(slots)` in this thread; slots: whether Redis is a Cluster. The steps get errors of Redis."""
    door, lost = None, None
    try:
        door = redis.client("limits")
    except AWAY as error:  # a Cluster's client asks for the slots when it is made
        lost = error
    steps = make(type(door) is not redis_py.Redis)
    try:
        call = next(steps)
        while True:
            try:
                if door is None:
                    raise lost or AssertionError
                reply = call[0](door, call[1], call[2])
            except AWAY as error:
                call = steps.throw(error)
            else:
                call = steps.send(reply)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


async def arun(make: Callable[[bool], Steps[T]]) -> T:
    """`run` for asyncio."""
    door = redis.aclient("limits")
    steps = make(not isinstance(door, redis_asyncio.Redis))
    try:
        call = next(steps)
        while True:
            try:
                reply = await call[0].acall(door, call[1], call[2])
            except AWAY as error:
                call = steps.throw(error)
            else:
                call = steps.send(reply)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


def take_call(
    asks: Sequence[Ask], reservation: str = "", lifetime: int = 0, back: Mapping[str, tuple[int, float]] = NOTHING
) -> Call:
    """KEYS and ARGV of take.lua. lifetime: ms in which the reservation may be settled; back: of `local.owed`."""
    keys: list[str] = []
    arguments: list[str | int] = [lifetime]
    for ask in asks:
        policy = ask.policy
        key = f"rl:{{{ask.subject.digest}}}:{policy.name}"
        keys.append(key)
        if policy.has_blocks:
            keys.append(key + ":b")
        cost = ask.cost - back[key][0] if key in back else ask.cost
        arguments += (policy.size, cost * policy.interval, policy.manner)
    if lifetime:
        keys.append(reservation_key(asks, reservation))
    return TAKE, keys, arguments


def reservation_key(asks: Sequence[Ask], reservation: str) -> str:
    """The Redis key of a reservation, in the slot of its subject."""
    return f"rl:{{{asks[0].subject.digest}}}:r:{reservation}"


def take_steps(asks: tuple[Ask, ...], slots: bool, reservation: str = "", lifetime: int = 0) -> Steps[Decision]:
    """The steps of `take`: what is decided here, and what is asked of Redis."""
    for ask in asks:
        if ask.policy.mode == "off":
            asks = tuple(each for each in asks if each.policy.mode != "off")
            break
    if not asks:
        return Decision(True, (), [])
    if refused := local.refused(asks):
        return metrics.counted(refused)
    groups = by_subject(asks) if slots and len(asks) > 1 else [asks]
    debts: list[int] = []
    blocks: list[int] = []
    back = local.owed(asks)
    for number, group in enumerate(groups, 1):
        try:
            reply = yield take_call(group, reservation, lifetime, back)
        except AWAY:
            return metrics.counted(local.decide(asks))
        debts += reply[: len(group)]
        blocks += reply[len(group) :]
        if not allows(group, reply):
            local.still_owed({ask.key: back[ask.key] for ask in group if ask.key in back})
            yield from _undo(groups[: number - 1])
            asked = tuple(ask for each in groups[:number] for ask in each)
            return metrics.counted(local.noted(Decision(False, asked, debts, blocks)))
    asked = asks if len(groups) == 1 else tuple(ask for each in groups for ask in each)
    return metrics.counted(local.noted(Decision(True, asked, debts, blocks)))


def allows(asks: Sequence[Ask], reply: list[int]) -> bool:
    """Whether the asks are allowed: a refusal by a policy in shadow mode does not count."""
    if min(reply) >= 0:
        return True
    return all(debt >= 0 or ask.policy.mode == "shadow" for ask, debt in zip(asks, reply, strict=False))


def _undo(groups: Sequence[Sequence[Ask]]) -> Steps[None]:
    """Refund these groups. In a Cluster each subject has its own slot, and a later one has refused."""
    for group in groups:
        with contextlib.suppress(*AWAY):
            yield take_call([ask._replace(cost=-ask.cost) for ask in group])


def by_subject(asks: Sequence[Ask]) -> list[tuple[Ask, ...]]:
    """The asks in groups of one subject, in the order of the subjects' first asks."""
    order = {ask.subject: number for number, ask in reversed(list(enumerate(asks)))}
    ranked = sorted(asks, key=lambda ask: order[ask.subject])
    return [tuple(group) for _, group in groupby(ranked, key=lambda ask: ask.subject)]
