"""Counts of this process, by label (a model's, as "payments.account"). Nothing here touches Redis or the database."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass
class Counts:
    """What happened to one label's locks. Times in seconds."""

    taken: int = 0
    refused: int = 0  # LockNotAvailable
    waited: float = 0.0
    longest_wait: float = 0.0
    held: float = 0.0
    longest_hold: float = 0.0
    lost: int = 0  # leases that ended, or were forced to, before their release
    stale: int = 0  # claims and writes that came too late
    fallbacks: int = 0  # locked by the database alone, because Redis did not answer


_counts: defaultdict[str, Counts] = defaultdict(Counts)
_mutex = threading.Lock()


def count(labels: Iterable[str], what: str) -> None:
    """Add one to `what` ("taken", "refused", "lost", "stale", "fallbacks") of each label."""
    with _mutex:
        for label in labels:
            counts = _counts[label]
            setattr(counts, what, getattr(counts, what) + 1)


def waited(labels: Iterable[str], seconds: float) -> None:
    with _mutex:
        for label in labels:
            counts = _counts[label]
            counts.taken += 1
            counts.waited += seconds
            counts.longest_wait = max(counts.longest_wait, seconds)


def held(labels: Iterable[str], seconds: float) -> None:
    with _mutex:
        for label in labels:
            counts = _counts[label]
            counts.held += seconds
            counts.longest_hold = max(counts.longest_hold, seconds)


def read() -> dict[str, dict[str, float]]:
    """Every label's counts since this process began."""
    with _mutex:
        return {label: asdict(counts) for label, counts in _counts.items()}
