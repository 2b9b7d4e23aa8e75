"""Limits of how many different things a subject asks for. They stop scrapers, who ask for many things once each."""

from __future__ import annotations

from woovi.ratelimit import limiter, metrics
from woovi.ratelimit.limiter import AWAY, Steps
from woovi.ratelimit.policy import MICRO, Ask, Decision, Policy
from woovi.ratelimit.subject import Subject, fingerprint


def distinct(policy: Policy, subject: Subject, thing: str) -> Decision:
    """Allow `policy.limit` different things in a window of `policy.per` seconds. Repeating a thing is free."""
    return limiter.run(lambda _: _count(Ask(policy, subject), thing))


async def adistinct(policy: Policy, subject: Subject, thing: str) -> Decision:
    """`distinct` for asyncio."""
    return await limiter.arun(lambda _: _count(Ask(policy, subject), thing))


def _count(ask: Ask, thing: str) -> Steps[Decision]:
    policy = ask.policy
    if policy.mode == "off":
        return Decision(True, (), [])
    try:
        seen, left = yield limiter.DISTINCT, [ask.key + ":d"], [fingerprint("thing", thing), round(policy.per * 1000)]
    except AWAY:
        return metrics.counted(Decision(True, (ask,), [0], degraded=True))
    if seen <= policy.limit:
        return metrics.counted(Decision(True, (ask,), [seen * policy.interval]))
    # The wait is until the window ends.
    debt = left * (MICRO // 1000) + policy.size - policy.interval
    return metrics.counted(Decision(policy.mode == "shadow", (ask,), [-1 - debt]))
