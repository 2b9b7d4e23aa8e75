"""`ReadThroughCache`: values of a slow source, loaded once by one of a whole fleet, and served for as long as was declared."""

from __future__ import annotations

import itertools
import math
import os
import random
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from redis.exceptions import RedisError

from woovi import redis
from woovi.cache import codec, metrics, names, news
from woovi.cache.errors import LoadFailed, Unreadable
from woovi.cache.scripts import BUMP, DROP, FAIL, FILL, READ
from woovi.cache.steps import Aside, Ask, Join, Listen, Load, Sleep, Steps, adrive, drive

POLL = 0.25  # seconds after which a waiter asks by itself; jittered
DEAF_POLL = 0.01  # the same while this process hears no news
_numbers = itertools.count(1)
_process = ""

registry: dict[str, ReadThroughCache] = {}  # what operators see


@dataclass(frozen=True)
class Loaded:
    """What a loader may return to say for itself how long its value is good; seconds from the begin of the load.

    ttl: fresh for so long; 0 or less: not kept at all. stale: servable so long after that, whether or not a load fails.
    fingerprint: for `drop_if`.
    """

    value: Any
    ttl: float
    stale: float | None = None
    fingerprint: str = ""


class Entry(NamedTuple):
    """An entry's names. `ident` is its key's parts."""

    ident: tuple[Any, ...]
    keys: list[str]
    tags: list[str]


class ReadThroughCache:
    """A declared cache. `get(**key)` answers from Redis in one round trip, or loads once, whoever asks.

    Args:
        name: of the cache, in keys and metrics.
        loader: called with the key's parts by name, a function or a coroutine function. It must end within `lease`.
        key: names of the parts. One named "tenant" keeps tenants apart, in a slot of their own.
        ttl: seconds that a value is fresh, less a random part of up to `jitter` of it.
        stale_while_revalidate: seconds after that in which it is served while one caller's aside refreshes it.
        stale_if_error: seconds after `ttl` in which it is served where a load fails.
        negative_ttl: seconds to remember, by the class of exception that says "there is none" (never a time-out).
        early_refresh: XFetch's beta; 1 is right, 0 waits for the end. Source: Vattani, Chierichetti, Lowenstein,
            "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015.
        lease: seconds that a load may take before another begins.
        failure_pause: seconds in which nobody tries again after a failure.
        pace: seconds from the begin of one load in which no other begins; who needs one waits.
        local_ttl: seconds, 1 at most, that this process serves a value without asking. Invalidations reach it.
        schema: of the values. Raise it when they change shape: those of another schema are misses.
        tags: names among the key's: `invalidate_tag` drops all of a tenant's entries with one value of such a part.
        warm: keys that `manage.py warm_cache` loads, as mappings.
        staleness: what a user sees, in words, for the operators' page.

    Without Redis each process loads by itself, once for all of its callers. What was loaded is then not kept.
    """

    secret = False  # whether its keys are nobody's to type

    def __init__(
        self, name: str, loader: Callable[..., Any], *, key: tuple[str, ...], ttl: float, jitter: float = 0.1,
        stale_while_revalidate: float = 0, stale_if_error: float = 0,
        negative_ttl: Mapping[type[Exception], float] | None = None, early_refresh: float = 1.0, lease: float = 5.0,
        failure_pause: float = 1.0, pace: float = 0, local_ttl: float = 0, schema: int = 1, tags: tuple[str, ...] = (),
        warm: Callable[[], Iterable[Mapping[str, Any]]] | None = None, staleness: str = "",
    ) -> None:  # fmt: skip
        if local_ttl > 1:
            raise ValueError("local_ttl: a second at most, because what it misses while it hears nothing is not mended")
        if not key or not set(tags) <= set(key):
            raise ValueError("key: at least one part; tags are names of parts")
        self.name, self.loader, self.key, self.ttl, self.jitter = name, loader, key, ttl, jitter
        self.stale_while_revalidate, self.stale_if_error = stale_while_revalidate, stale_if_error
        self.negative_ttl = dict(negative_ttl or {})
        self.early_refresh, self.lease, self.failure_pause, self.pace = early_refresh, lease, failure_pause, pace
        self.schema, self.tags, self.warm, self.staleness = schema, tags, warm, staleness
        self.counts = metrics.counts(name)
        self._take = itemgetter(*key) if len(key) > 1 else lambda parts, part=key[0]: (parts[part],)
        self._named = lru_cache(maxsize=4096, typed=True)(self._names)  # hot keys are asked for again
        self._flights: dict[tuple[Any, ...], Future[Any]] = {}
        self._mutex = threading.Lock()
        self._tier = news.Tier(local_ttl) if local_ttl else None
        if self._tier:
            news.news.tiers[name] = self._tier
        registry[name] = self

    # ── what callers say ─────────────────────────────────────────────────────────────────────────────────────────

    def get(self, **parts: Any) -> Any:
        """The value. Raises LoadFailed, or what `negative_ttl` names where there is none."""
        if self._tier and (payload := self._tier.get(self._ident(parts))):
            self.counts.local += 1
            return self._open("", payload)
        return drive(self._get(parts))

    async def aget(self, **parts: Any) -> Any:
        """The twin of `get`."""
        if self._tier and (payload := self._tier.get(self._ident(parts))):
            self.counts.local += 1
            return self._open("", payload)
        return await adrive(self._get(parts))

    def invalidate(self, **parts: Any) -> None:
        """Drop the entry, and what is being loaded for it. Raises redis.exceptions.RedisError: it may be there still."""
        drive(self._drop(parts))

    async def ainvalidate(self, **parts: Any) -> None:
        await adrive(self._drop(parts))

    def drop_if(self, fingerprint: str, **parts: Any) -> bool:
        """Drop the entry if its value is the one with that fingerprint. Returns whether it was."""
        return bool(drive(self._drop(parts, fingerprint)))

    async def adrop_if(self, fingerprint: str, **parts: Any) -> bool:
        return bool(await adrive(self._drop(parts, fingerprint)))

    def invalidate_tag(self, tenant: names.Part = "", **tag: names.Part) -> None:
        """Drop all of a tenant's entries whose part `tag` has this value. Raises RedisError."""
        if not tag or not set(tag) <= set(self.tags):
            raise TypeError(f"{self.name} has the tags {', '.join(self.tags) or 'none'}")
        drive(self._bump(tenant, [_tag(each, value) for each, value in tag.items()]))

    def invalidate_tenant(self, tenant: names.Part = "") -> None:
        """Drop all of a tenant's entries. Raises RedisError."""
        drive(self._bump(tenant, ["*"]))

    def warm_up(self) -> int:
        """Have in Redis what `warm` names, and return how many entries. Raises LoadFailed."""
        return sum(1 for parts in self.warm() if self._warmed(parts)) if self.warm else 0

    def _warmed(self, parts: Mapping[str, Any]) -> bool:
        try:
            self.get(**parts)
        except tuple(self.negative_ttl):
            pass
        return True

    def entry_name(self, **parts: Any) -> str:
        """The name of an entry's key in Redis, which tells nothing of its parts."""
        return self._entry(parts).keys[0]

    # ── names ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _ident(self, parts: dict[str, Any]) -> tuple[Any, ...]:
        try:
            if len(parts) == len(self.key):
                return self._take(parts)
        except KeyError:
            pass
        raise TypeError(f"{self.name} is asked for by {', '.join(self.key)}, not by {', '.join(parts) or 'nothing'}")

    def _entry(self, parts: dict[str, Any]) -> Entry:
        return self._named(*self._ident(parts))

    def _names(self, *ident: names.Part) -> Entry:
        parts = dict(zip(self.key, ident, strict=True))
        slot = names.slot(self.name, parts.get("tenant", ""))
        return Entry(ident, [slot + names.digest(*ident), slot + "g"], [_tag(each, parts[each]) for each in self.tags])

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _get(self, parts: dict[str, Any]) -> Steps:
        entry, owner = self._entry(parts), new_owner()
        ask = Ask(READ, entry.keys, [owner, int(self.lease * 1000), self.schema, self._early(), *entry.tags])
        tier, give_up, again = self._tier, 0.0, False
        ring: Any = None
        epoch = tier.epoch if tier else 0
        news.news.start()
        try:
            while True:
                asked = time.monotonic()
                try:
                    reply = ring.given if ring and ring.given else (yield ask)
                except redis.BreakerOpen:
                    raise
                except RedisError:
                    if again:
                        raise
                    again = True  # the lease may have been in the lost answer, and its owner is still the same
                    continue
                if type(reply) is bytes:
                    self.counts.hit += 1
                    if ring and not ring.given:
                        news.news.hand(entry.keys[0], reply, asked)
                    if tier:
                        tier.put(entry.ident, reply, epoch)
                    return self._open(entry.keys[0], reply)
                what, old, number, text = reply
                if what in (b"stale", b"refresh"):
                    self.counts.stale += 1
                    if what == b"refresh":
                        yield Aside(self._load(entry, parts, owner))
                    return self._open(entry.keys[0], old)
                if what == b"load":
                    return (yield from self._load(entry, parts, owner, old))
                if what == b"failed":
                    return self._instead(entry, old, text.decode())
                now = time.monotonic()
                if what == b"paced" and number > self.lease * 2000:
                    raise LoadFailed(self.name, f"loaded a moment ago, and not again for {number / 1000:.1f} s")
                if ring is None:
                    self.counts.wait += 1
                    give_up = now + self.lease * 2
                    ring = yield Listen(entry.keys[0])  # and ask once more: it may have been filled just now
                    if what == b"wait":
                        continue
                if now > give_up:
                    raise LoadFailed(self.name, "waited in vain for another's load")
                poll = (POLL if news.news.hears else DEAF_POLL) * random.uniform(0.5, 1)  # noqa: S311
                yield Sleep(ring, number / 1000 if what == b"paced" else min(poll, number / 1000 + 0.001))
        except Unreadable:
            yield from self._quietly(Ask(DROP, entry.keys[:1], [self.name, ""]))
            return (yield from self._bypass(entry, parts))
        except RedisError:
            return (yield from self._bypass(entry, parts))
        except Exception:
            raise
        except BaseException:  # stopped while it asked, and the lease may be ours
            yield from self._quietly(Ask(FAIL, entry.keys[:1], [owner, 0, ""]))
            raise
        finally:
            if ring:
                news.news.remove(entry.keys[0], ring)

    def _early(self) -> int:
        return int(-1000 * self.early_refresh * math.log(1 - random.random())) if self.early_refresh else 0  # noqa: S311

    def _instead(self, entry: Entry, old: bytes, reason: str, cause: Exception | None = None) -> Any:
        """After a failed load: the old value where it may still be served, or LoadFailed."""
        if old and self.stale_if_error:
            self.counts.stale += 1
            return self._open(entry.keys[0], old)
        raise LoadFailed(self.name, reason) from cause

    def _load(self, entry: Entry, parts: dict[str, Any], owner: str, old: bytes = b"") -> Steps:
        """Load under the lease, and keep it."""
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
        """What the loader says: (Loaded, None), or (how long there is none, the exception that says so)."""
        try:
            found = yield Load(self.loader, parts)
        except tuple(self.negative_ttl) as none:
            ttl = next(ttl for kind, ttl in self.negative_ttl.items() if isinstance(none, kind))
            return Loaded(None, ttl), none
        if isinstance(found, Loaded):
            return found, None
        return Loaded(found, self.ttl * (1 - self.jitter * random.random())), None  # noqa: S311

    def _ages(self, loaded: Loaded, negative: bool) -> list[Any]:
        stale, kept = self.stale_while_revalidate, self.stale_if_error
        if negative or loaded.stale is not None:
            stale = kept = loaded.stale or 0
        ages = [int(seconds * 1000) for seconds in (loaded.ttl, stale, kept)]
        return [*ages, loaded.fingerprint, int(self.pace * 1000) if ages[0] > 0 else 0]

    def _bypass(self, entry: Entry, parts: dict[str, Any]) -> Steps:
        """Without Redis: one load for all of this process's callers."""
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

    # ── dropping ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _drop(self, parts: dict[str, Any], fingerprint: str = "") -> Steps:
        dropped = yield Ask(DROP, self._entry(parts).keys[:1], [self.name, fingerprint])
        self._empty()
        return dropped

    def _bump(self, tenant: names.Part, tags: list[str]) -> Steps:
        yield Ask(BUMP, [names.slot(self.name, tenant) + "g"], [self.name, *tags])
        self._empty()

    def _empty(self) -> None:
        if self._tier:
            self._tier.empty()

    def _quietly(self, ask: Ask) -> Steps:
        """What the end of a lease does as well."""
        try:
            return (yield ask)
        except RedisError:
            return None

    # ── values ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _pack(self, none: Exception) -> bytes:
        number = next(n for n, kind in enumerate(self.negative_ttl) if isinstance(none, kind))
        return codec.pack([number, [each for each in none.args if isinstance(each, str | int)]], codec.NEGATIVE)

    def _open(self, name: str, payload: bytes) -> Any:
        """The value of what was stored under `name`; raises what it says if it is a "there is none"."""
        flags, value = codec.unpack(self._unseal(name, payload))
        if not flags & codec.NEGATIVE:
            return value
        try:
            kind, arguments = list(self.negative_ttl)[value[0]], value[1]
        except (IndexError, TypeError) as error:
            raise Unreadable("unknown kind of nothing") from error
        self.counts.negative += 1
        raise kind(*arguments)

    def _seal(self, name: str, payload: bytes) -> bytes:
        return payload

    def _unseal(self, name: str, payload: bytes) -> bytes:
        return payload


def _tag(name: str, value: names.Part) -> str:
    return f"{name}:{names.digest(value)}"


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def new_owner() -> str:
    """An id that no other call has, in any process."""
    return f"{_process}.{next(_numbers)}"


def _begin() -> None:
    """Owners are of one process: a forked child must not pass for its parent."""
    global _process
    _process = secrets.token_hex(8)


_begin()
os.register_at_fork(after_in_child=_begin)
