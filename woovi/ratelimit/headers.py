"""The response headers about limits (IETF draft-ietf-httpapi-ratelimit-headers-11).

RateLimit-Policy: "api.company";q=6000;w=30     at most q at once, refilled in w seconds
RateLimit: "api.company";r=5999;t=1             r are left, all of them again in t seconds
Retry-After: 7                                  with 429 and 503
"""

from __future__ import annotations

from collections.abc import Iterable

from woovi.ratelimit.policy import MICRO, Decision


def headers(decisions: Iterable[Decision]) -> dict[str, str]:
    """The headers for all decisions about one request. Policies in shadow mode are left out."""
    policies: dict[str, str] = {}
    now: dict[str, str] = {}
    wait = 0.0
    for decision in decisions:
        for ask, debt, block in decision.owed():
            policy = ask.policy
            if policy.mode == "enforce":
                left = 0 if block else max(policy.size - debt, 0) // policy.interval
                policies[policy.name] = policy.told
                now[policy.name] = f'"{policy.name}";r={left};t={-(-max(debt, block) // MICRO)}'
        if not decision.allowed:
            wait = max(wait, decision.retry_after)
    if not now:
        return {}
    told = {"RateLimit-Policy": ", ".join(policies.values()), "RateLimit": ", ".join(now.values())}
    if wait:
        told["Retry-After"] = str(-int(-wait // 1))
    return told
