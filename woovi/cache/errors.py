"""What can go wrong with a cache."""

from __future__ import annotations


class LoadFailed(Exception):
    """There is no value, because its load failed now (the error is the cause) or a moment ago in another process.

    `cache` is the cache's name. `reason` is the error's class and text, for a log.
    """

    def __init__(self, cache: str, reason: str) -> None:
        super().__init__(f"{cache}: {reason}")
        self.cache, self.reason = cache, reason


class Unreadable(Exception):
    """A stored value cannot be read: it is broken, sealed with another key, or was not written by this cache."""
