"""Limits of concurrency: places of a subject in all processes, and requests in this process."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Iterator

from woovi import redis
from woovi.ratelimit import limiter, metrics
from woovi.ratelimit.limiter import AWAY, Steps
from woovi.ratelimit.policy import Ask, Decision, Policy, RateLimited
from woovi.ratelimit.subject import Subject

NONE = -1  # what enter() answers without Redis


@contextlib.contextmanager
def place(policy: Policy, subject: Subject) -> Iterator[None]:
    """Hold one of `policy.limit` places in the block. Raises RateLimited where all are taken.

    policy.per: seconds after which a place is free again, if its process crashed.
    """
    ask, name = Ask(policy, subject), secrets.token_urlsafe(9)
    _admit(ask, limiter.run(lambda _: _enter(ask, name)))
    try:
        yield
    finally:
        with contextlib.suppress(*AWAY):
            redis.client("limits").zrem(_key(ask), name)


@contextlib.asynccontextmanager
async def aplace(policy: Policy, subject: Subject) -> AsyncIterator[None]:
    """`place` for asyncio. A cancelled task gives its place back."""
    ask, name = Ask(policy, subject), secrets.token_urlsafe(9)
    _admit(ask, await limiter.arun(lambda _: _enter(ask, name)))
    try:
        yield
    finally:
        with contextlib.suppress(*AWAY):
            await redis.aclient("limits").zrem(_key(ask), name)


def _key(ask: Ask) -> str:
    return ask.key + ":s"


def _enter(ask: Ask, name: str) -> Steps[int]:
    if ask.policy.mode == "off":
        return NONE
    try:
        inside: int = yield limiter.ENTER, [_key(ask)], [name, ask.policy.limit, round(ask.policy.per * 1000)]
    except AWAY:
        return NONE
    return inside


def _admit(ask: Ask, inside: int) -> None:
    policy = ask.policy
    refused = inside == 0 or (inside == NONE and policy.mode != "off" and policy.without_redis == "closed")
    debt = policy.size if refused else min(max(inside, 0) * policy.interval, policy.size)
    allowed = not refused or policy.mode == "shadow"
    decision = Decision(allowed, (ask,), [-1 - debt if refused else debt], degraded=inside == NONE)
    if not metrics.counted(decision).allowed:
        raise RateLimited(decision)


class LoadShedder:
    """Requests in flight in this process: at `limit` none comes in, and the last part is kept for what is critical.

    Local on purpose: an overloaded process needs no Redis to know that it is.
    """

    def __init__(self, limit: int, reserve: float = 0.2) -> None:
        self.limit, self.inside = limit, 0
        self.ordinary = round(limit * (1 - reserve))

    def enter(self, critical: bool) -> bool:
        """Whether the request may come in. If so, call leave() at its end."""
        if self.inside >= (self.limit if critical else self.ordinary):
            return False
        self.inside += 1
        return True

    def leave(self) -> None:
        self.inside -= 1
