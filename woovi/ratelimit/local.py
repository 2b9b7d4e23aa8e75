"""Decisions of this process alone: refusals that it knows already, and buckets for when Redis is away.

A refusal is remembered until it may have ended, and Redis is not asked again before. The levels that Redis answers are
remembered too, so that a local bucket starts at the last known level and not full.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from typing import TypeVar

from django.conf import settings

from woovi.ratelimit.policy import MICRO, Ask, Decision

KEPT = 10_000  # subjects a table; the oldest go first
LONGEST = 10.0  # seconds that a refusal is believed without asking: another process may have given back

K = TypeVar("K")
V = TypeVar("V")
_refused: dict[tuple[str, int], tuple[float, float]] = {}  # (bucket, cost): believed until, when its wait ends
_full: dict[str, float] = {}  # bucket: when it is full again
_owed: dict[str, tuple[int, float]] = {}  # bucket: what its next charge gives back besides; until when
_owing = threading.Lock()


def refused(asks: Sequence[Ask]) -> Decision | None:
    """The refusal of these asks, if it is known without asking Redis."""
    if not _refused:
        return None
    now = time.monotonic()
    for ask in asks:
        found = _refused.get((ask.key, ask.cost))
        if found is not None and found[0] > now:
            policy = ask.policy
            debt = round((found[1] - now) * MICRO) + policy.size - ask.cost * policy.interval
            return Decision(False, (ask,), [-1 - debt])
    return None


def noted(decision: Decision) -> Decision:
    """Remember an answer of Redis, and return it."""
    now = time.monotonic()
    debts = decision._debts
    for ask, debt in zip(decision.asks, debts, strict=False):
        if debt > 0 and ask.policy.without_redis == "local":
            _keep(_full, ask.key, now + debt / MICRO)
    if not decision.allowed:
        for state in decision.states:
            if state.refused and state.ask.policy.mode == "enforce":
                ends = now + state.retry_after
                _keep(_refused, (state.ask.key, state.ask.cost), (min(ends, now + LONGEST), ends))
    return decision


def decide(asks: Sequence[Ask]) -> Decision:
    """Decide without Redis: "open" allows, "closed" refuses, "local" counts against this process's share of the limit."""
    now = time.monotonic()
    debts = [max(round((_full.get(ask.key, 0) - now) * MICRO), 0) for ask in asks]
    costs = [_cost(ask) for ask in asks]
    refusing = [_refuses(ask, debt + cost) for ask, debt, cost in zip(asks, debts, costs, strict=True)]
    allowed = not any(no and ask.policy.mode == "enforce" for no, ask in zip(refusing, asks, strict=True))
    for number, (ask, no) in enumerate(zip(asks, refusing, strict=True)):
        if no:
            debts[number] = -1 - debts[number]
        elif allowed:
            debts[number] = min(max(debts[number] + costs[number], 0), ask.policy.size)
            _keep(_full, ask.key, now + debts[number] / MICRO)
    return Decision(allowed, tuple(asks), debts, degraded=True)


def _cost(ask: Ask) -> int:
    """A share of 1/n of a bucket is a bucket of which everything costs n times as much; one at least fits."""
    cost = ask.cost * ask.policy.interval
    return min(cost * settings.RATE_LIMIT_PROCESSES, max(ask.policy.size, cost))


def _refuses(ask: Ask, debt: int) -> bool:
    if ask.cost <= 0 or ask.policy.without_redis == "open":
        return False
    return ask.policy.without_redis == "closed" or debt > ask.policy.size


def blocked(ask: Ask, seconds: float) -> None:
    """Somebody said that the subject is blocked: refuse it, with Redis and without."""
    ends = time.monotonic() + seconds
    _keep(_full, ask.key, ends + ask.policy.size / MICRO)
    _keep(_refused, (ask.key, ask.cost), (min(ends, time.monotonic() + LONGEST), ends))


def charged_less(asks: Sequence[Ask]) -> None:
    """A reservation was settled: what was refused while it was open may pass now."""
    for ask in asks:
        _refused.pop((ask.key, ask.cost), None)


def owe(ask: Ask, back: int, full: float) -> None:
    """Let the next charge of the bucket give back the cost `back` besides. full: when the bucket is, by the monotonic clock.

    Only while the bucket cannot have filled by itself: after that others may have charged it, who would get it instead.
    """
    now = time.monotonic()
    with _owing:
        before, until = _owed.get(ask.key, (0, 0.0))
        _keep(_owed, ask.key, (back + before if until > now else back, max(until, full)))


def owed(asks: Sequence[Ask]) -> dict[str, tuple[int, float]]:
    """What is owed to these buckets, and until when. The caller gives it back now, or says `still_owed`."""
    if not _owed:
        return {}
    now = time.monotonic()
    with _owing:
        found = {ask.key: _owed.pop(ask.key) for ask in asks if ask.key in _owed}
    return {key: each for key, each in found.items() if each[1] > now}


def still_owed(back: dict[str, tuple[int, float]]) -> None:
    """It was not given back: the charge was refused."""
    with _owing:
        for key, (cost, until) in back.items():
            more, later = _owed.get(key, (0, 0.0))
            _keep(_owed, key, (cost + more, max(until, later)))


def forget() -> None:
    """Forget everything, after limits were changed or a subject was unblocked."""
    _refused.clear()
    _full.clear()
    _owed.clear()


def _in_child() -> None:
    """Another thread may have held it at the fork."""
    global _owing
    _owing = threading.Lock()
    forget()


os.register_at_fork(after_in_child=_in_child)


def _keep(table: dict[K, V], key: K, value: V) -> None:
    table.pop(key, None)
    table[key] = value
    if len(table) > KEPT:
        table.pop(next(iter(table)), None)
