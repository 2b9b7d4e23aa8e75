"""How a `ReadThroughCache` loads a value, keeps it, and does without Redis."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, NamedTuple

from redis.exceptions import RedisError

from woovi.cache import codec, metrics, news
from woovi.cache.errors import LoadFailed, Unreadable
from woovi.cache.scripts import FAIL, FILL
from woovi.cache.steps import Ask, Join, Load, Steps


@dataclass(frozen=True)
class Loaded:
    """A loader may return this instead of a value, to say how long the value is good. Seconds count from the load's start.

    ttl: how long it is fresh; 0 or less: it is not kept. stale: how long after that it may be served, whether or not a
    load fails. fingerprint: for `drop_if`.
    """

    value: Any
    ttl: float
    stale: float | None = None
    fingerprint: str = ""


KEEP = -1.0  # as a ttl: what is there stays


class Entry(NamedTuple):
    """Names of one entry: the parts of its key, its keys in Redis, and its tags."""

    ident: tuple[Any, ...]
    keys: list[str]
    tags: list[str]


class Loading:
    """The half of `ReadThroughCache` that calls the loader. Its attributes are described there."""

    name: str
    loader: Callable[..., Any]
    ttl: float
    jitter: float
    stale_while_revalidate: float
    stale_if_error: float
    negative_ttl: dict[type[Exception], float | None]
    lease: float
    failure_pause: float
    pace: float
    counts: metrics.Counts

    def __init__(self) -> None:
        self._flights: dict[tuple[Any, ...], Future[Any]] = {}  # loads without Redis, by their entries
        self._mutex = threading.Lock()

    def _load(self, entry: Entry, parts: dict[str, Any], owner: str, old: bytes = b"") -> Steps:
        """Call the loader under the lease of `owner`, store its value and return it."""
        self.counts.miss += 1
        began = time.monotonic()
        try:
            loaded, negative = yield from self._call(parts)
            payload = self._seal(entry.keys[0], self._pack(negative) if negative else codec.pack(loaded.value))
        except Exception as error:
            self.counts.error += 1
            reason = _reason(error)
            yield from self._quietly(Ask(FAIL, entry.keys[:1], [owner, int(self.failure_pause * 1000), reason]))
            news.news.wake(entry.keys[0])
            return self._instead(entry, old, reason, error)
        except BaseException:
            yield from self._quietly(Ask(FAIL, entry.keys[:1], [owner, 0, ""]))
            raise
        if negative and loaded.ttl == KEEP:
            yield from self._quietly(Ask(FAIL, entry.keys[:1], [owner, 0, ""]))
            news.news.wake(entry.keys[0])
            raise negative
        self.counts.loaded(time.monotonic() - began)
        asked = time.monotonic()
        kept = yield from self._quietly(Ask(FILL, entry.keys, [owner, payload, *self._ages(loaded, bool(negative))]))
        self.counts.refused += kept == 0
        if kept and loaded.ttl > 0:
            news.news.hand(entry.keys[0], payload, asked)
        else:
            news.news.wake(entry.keys[0])
        if negative:
            raise negative
        return loaded.value

    def _call(self, parts: dict[str, Any]) -> Steps:
        """Call the loader. Returns what it loaded and None, or for a `negative_ttl` exception (Loaded(None, its ttl), it)."""
        try:
            found = yield Load(self.loader, parts)
        except tuple(self.negative_ttl) as none:
            ttl = next(ttl for kind, ttl in self.negative_ttl.items() if isinstance(none, kind))
            return Loaded(None, KEEP if ttl is None else ttl), none
        if isinstance(found, Loaded):
            return found, None
        return Loaded(found, self.ttl * (1 - self.jitter * random.random())), None  # noqa: S311

    def _ages(self, loaded: Loaded, negative: bool) -> list[Any]:
        """The arguments of fill.lua that say how long a value is kept."""
        stale, kept = self.stale_while_revalidate, self.stale_if_error
        if negative or loaded.stale is not None:
            stale = kept = loaded.stale or 0
        ages = [int(seconds * 1000) for seconds in (loaded.ttl, stale, kept)]
        return [*ages, loaded.fingerprint, int(self.pace * 1000) if ages[0] > 0 else 0]

    def _instead(self, entry: Entry, old: bytes, reason: str, cause: Exception | None = None) -> Any:
        """After a failed load: the old value if it may still be served. Otherwise raises LoadFailed."""
        if old and self.stale_if_error:
            self.counts.stale += 1
            return self._open(entry.keys[0], old)
        raise LoadFailed(self.name, reason) from cause

    def _bypass(self, entry: Entry, parts: dict[str, Any]) -> Steps:
        """Load without Redis: once for all of this process's callers, and the value is not kept."""
        self.counts.bypass += 1
        with self._mutex:
            flight = self._flights.get(entry.ident)
            mine = flight is None
            if flight is None:
                flight = self._flights[entry.ident] = Future()
        if not mine:
            try:
                return (yield Join(flight, self.lease * 2))
            except TimeoutError as error:
                raise LoadFailed(self.name, "waited in vain for another's load") from error
        try:
            loaded, negative = yield from self._call(parts)
            if negative:
                raise negative
            flight.set_result(loaded.value)
            return loaded.value
        except BaseException as error:
            known = type(error) in self.negative_ttl
            failed = error if known else LoadFailed(self.name, _reason(error))
            flight.set_exception(failed)
            if known or not isinstance(error, Exception):
                raise
            self.counts.error += 1
            raise failed from error
        finally:
            self._flights.pop(entry.ident, None)

    def _quietly(self, ask: Ask) -> Steps:
        """Run a script that may fail, because the end of the lease has the same effect."""
        try:
            return (yield ask)
        except RedisError:
            return None

    def _pack(self, none: Exception) -> bytes:
        """A "there is none" exception, as bytes."""
        number = next(n for n, kind in enumerate(self.negative_ttl) if isinstance(none, kind))
        return codec.pack([number, [each for each in none.args if isinstance(each, str | int)]], codec.NEGATIVE)

    def _open(self, name: str, payload: bytes) -> Any:
        """The value of a payload that was stored under `name`. Raises its exception if it is a "there is none"."""
        flags, value = codec.unpack(self._unseal(name, payload))
        if not flags & codec.NEGATIVE:
            return value
        try:
            kind, arguments = list(self.negative_ttl)[value[0]], value[1]
        except (IndexError, TypeError) as error:
            raise Unreadable("unknown class of exception") from error
        self.counts.negative += 1
        raise kind(*arguments)

    def _seal(self, name: str, payload: bytes) -> bytes:
        """For subclasses that encrypt what is stored under `name`."""
        return payload

    def _unseal(self, name: str, payload: bytes) -> bytes:
        """The reverse of `_seal`. Raises Unreadable."""
        return payload


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]
