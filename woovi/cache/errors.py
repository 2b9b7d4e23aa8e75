"""What can go wrong with a cache."""

from __future__ import annotations


class LoadFailed(Exception):
    """There is no value: the load failed (then its error is the cause), or did so a moment ago in another process.

    `cache` is the cache's name, `reason` fit for a log: the error's class and text.
    """

    def __init__(self, cache: str, reason: str) -> None:
        super().__init__(f"{cache}: {reason}")
        self.cache, self.reason = cache, reason


class Unreadable(Exception):
    """What was stored is not ours to read: broken, of another key, or something that somebody planted."""
