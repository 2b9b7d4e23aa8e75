"""Counters of this process since its start. Nothing here touches Redis or the database."""

from __future__ import annotations

from collections import Counter

_counts: Counter[str] = Counter()


def count(what: str, times: int = 1) -> None:
    """Add to one of: `appended`, `gaps`, `begun anew`, `not carried` (relay); `wakes`, `missed wakes`, `redis errors`,
    `read from redis`, `read from postgresql`, `resets`, `refused` (readers)."""
    _counts[what] += times


def metrics() -> dict[str, int]:
    """Counters of this process, by name."""
    return dict(_counts)
