"""Counts of this process, by policy. Nothing here touches Redis: `seen` adds them to those of all processes."""

from __future__ import annotations

from collections import Counter

from woovi.ratelimit.policy import MICRO, Decision
from woovi.ratelimit.subject import Subject

KEPT = 1_000  # subjects between two flushes by `seen`

counts: Counter[tuple[str, str]] = Counter()  # (policy, "allowed" | "refused" | "shadow" | "degraded")
limited: dict[tuple[str, Subject], tuple[int, float]] = {}  # (policy, subject): how often, seconds to wait


def counted(decision: Decision) -> Decision:
    """Count a decision, and return it. Without a lock, so two threads that add at once may lose one."""
    if decision.allowed and min(decision._debts) >= 0:
        for ask in decision.asks:
            counts[ask.policy.name, "allowed"] += 1
    else:
        _refusals(decision)
    if decision.degraded:
        for ask in decision.asks:
            counts[ask.policy.name, "degraded"] += 1
    return decision


def _refusals(decision: Decision) -> None:
    for (ask, owed, block), debt in zip(decision.owed(), decision._debts, strict=False):
        policy = ask.policy
        if debt >= 0:
            if decision.allowed:
                counts[policy.name, "allowed"] += 1
            continue
        counts[policy.name, "shadow" if policy.mode == "shadow" else "refused"] += 1
        who = (policy.name, ask.subject)
        before = limited.get(who)
        if before or len(limited) < KEPT:
            wait = block or owed + ask.cost * policy.interval - policy.size
            limited[who] = (before[0] + 1 if before else 1, wait / MICRO)


def read() -> dict[str, dict[str, int]]:
    """Every policy's counts since this process began."""
    found: dict[str, dict[str, int]] = {}
    for (policy, what), number in sorted(counts.items()):
        found.setdefault(policy, {})[what] = number
    return found
