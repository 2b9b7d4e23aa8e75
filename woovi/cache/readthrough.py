"""`ReadThroughCache`: values of a slow source. One process loads a value, and all serve it for as long as was declared."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

from redis.exceptions import RedisError

from woovi import redis
from woovi.cache import metrics, names, news
from woovi.cache.errors import LoadFailed, Unreadable
from woovi.cache.loading import Entry, Loading
from woovi.cache.scripts import BUMP, DROP, FAIL, READ
from woovi.cache.steps import Aside, Ask, Listen, Sleep, Steps, adrive, drive

POLL = 0.25  # seconds after which a waiter asks again by itself; jittered
DEAF_POLL = 0.01  # the same while this process hears no messages

registry: dict[str, ReadThroughCache] = {}  # by name, for the operators' page


@dataclass
class Wait:
    """How far one `get` has waited."""

    ring: Any = None  # None until it waits
    give_up_at: float = 0.0  # by the monotonic clock
    retried: bool = False  # after an error of Redis


class ReadThroughCache(Loading):
    """A declared cache. `get(**key)` answers from Redis in one round trip; of all callers that find nothing, one loads.

    Args:
        name: the cache's name, in keys and metrics.
        loader: a function or coroutine function, called with the key's parts by name. It must end within `lease`.
        key: names of the parts. A part named "tenant" keeps tenants apart, each in a slot of its own.
        ttl: seconds that a value is fresh, less a random part of up to `jitter` of it.
        stale_while_revalidate: seconds after `ttl` in which it is still served, while one caller refreshes it in the background.
        stale_if_error: seconds after `ttl` in which it is served if a load fails.
        negative_ttl: by class of exception that is an answer, such as "there is none" (never a time-out): seconds to remember
            it; 0 for a refusal that is raised as it is, neither remembered nor followed by a pause; None for one that says
            nothing about the value (too many questions, say): an old value stays, for when a load fails.
        early_refresh: XFetch's beta; 1 is right, 0 refreshes at the end only. Source: Vattani, Chierichetti, Lowenstein,
            "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015.
        lease: seconds that a load may take before another caller loads too.
        failure_pause: seconds after a failed load in which no other begins.
        pace: seconds between the starts of two loads, at least. Callers wait meanwhile.
        local_ttl: seconds, at most 1, that this process serves a value without asking Redis. Invalidations reach it.
        schema: version of the values' shape. Raise it when that changes: values of another schema are misses.
        tags: names of parts. `invalidate_tag` drops all of a tenant's entries with one value of such a part.
        warm: keys that `manage.py warm_cache` loads, as mappings.
        staleness: how old a shown value can be, in words, for the operators' page.

    Without Redis each process loads by itself, once for all of its callers, and keeps nothing.
    """

    secret = False  # True: the key's parts are secret, so that operators cannot type them

    def __init__(
        self, name: str, loader: Callable[..., Any], *, key: tuple[str, ...], ttl: float, jitter: float = 0.1,
        stale_while_revalidate: float = 0, stale_if_error: float = 0,
        negative_ttl: Mapping[type[Exception], float | None] | None = None, early_refresh: float = 1.0, lease: float = 5.0,
        failure_pause: float = 1.0, pace: float = 0, local_ttl: float = 0, schema: int = 1, tags: tuple[str, ...] = (),
        warm: Callable[[], Iterable[Mapping[str, Any]]] | None = None, staleness: str = "",
    ) -> None:  # fmt: skip
        super().__init__()
        if local_ttl > 1:
            raise ValueError("local_ttl: a second at most: an invalidation that it misses is not repeated")
        if not key or not set(tags) <= set(key):
            raise ValueError("key: at least one part; tags are names of parts")
        self.name, self.loader, self.key, self.ttl, self.jitter = name, loader, key, ttl, jitter
        self.stale_while_revalidate, self.stale_if_error = stale_while_revalidate, stale_if_error
        self.negative_ttl = dict(negative_ttl or {})
        self.early_refresh, self.lease, self.failure_pause, self.pace = early_refresh, lease, failure_pause, pace
        self.schema, self.tags, self.warm, self.staleness = schema, tags, warm, staleness
        self.counts = metrics.counts(name)
        self._key_of = itemgetter(*key) if len(key) > 1 else lambda parts, part=key[0]: (parts[part],)
        self._named = lru_cache(maxsize=4096, typed=True)(self._names)  # the same keys are asked for often
        self._tier = news.Tier(local_ttl) if local_ttl else None
        if self._tier:
            news.news.tiers[name] = self._tier
        registry[name] = self

    # ── public ─────────────────────────────────────────────────────────────────────────────────────────

    def get(self, **parts: Any) -> Any:
        """The value. Raises LoadFailed, or an exception of `negative_ttl` where there is none."""
        if self._tier and (payload := self._tier.get(self._ident(parts))):
            self.counts.local += 1
            return self._open("", payload)
        return drive(self._get(parts))

    async def aget(self, **parts: Any) -> Any:
        """`get` for asyncio."""
        if self._tier and (payload := self._tier.get(self._ident(parts))):
            self.counts.local += 1
            return self._open("", payload)
        return await adrive(self._get(parts))

    def invalidate(self, **parts: Any) -> None:
        """Drop the entry; a value that is being loaded now is not stored. Raises RedisError: it may still be there."""
        drive(self._drop(parts))

    async def ainvalidate(self, **parts: Any) -> None:
        """`invalidate` for asyncio."""
        await adrive(self._drop(parts))

    def drop_if(self, fingerprint: str, **parts: Any) -> bool:
        """Drop the entry if its value has this fingerprint (`Loaded`). Returns whether it had. Raises RedisError."""
        return bool(drive(self._drop(parts, fingerprint)))

    async def adrop_if(self, fingerprint: str, **parts: Any) -> bool:
        """`drop_if` for asyncio."""
        return bool(await adrive(self._drop(parts, fingerprint)))

    def invalidate_tag(self, tenant: names.Part = "", **tag: names.Part) -> None:
        """Drop a tenant's entries by the value of a tag: `invalidate_tag(7, bank="001")`. Raises RedisError."""
        if not tag or not set(tag) <= set(self.tags):
            raise TypeError(f"{self.name} has the tags {', '.join(self.tags) or 'none'}")
        drive(self._bump(tenant, [_tag(each, value) for each, value in tag.items()]))

    def invalidate_tenant(self, tenant: names.Part = "") -> None:
        """Drop all of a tenant's entries. Raises RedisError."""
        drive(self._bump(tenant, ["*"]))

    def warm_up(self) -> int:
        """Load the keys that `warm` names. Returns how many. Raises LoadFailed."""
        return sum(1 for parts in self.warm() if self._warmed(parts)) if self.warm else 0

    def _warmed(self, parts: Mapping[str, Any]) -> bool:
        try:
            self.get(**parts)
        except tuple(self.negative_ttl):
            pass
        return True

    def entry_name(self, **parts: Any) -> str:
        """The name of an entry's key in Redis. Its parts cannot be read from it."""
        return self._entry(parts).keys[0]

    # ── names ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _ident(self, parts: dict[str, Any]) -> tuple[Any, ...]:
        try:
            if len(parts) == len(self.key):
                return self._key_of(parts)
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
        """Read the entry from Redis. Where Redis is away, or has a value that cannot be read, load in this process."""
        entry, owner, wait = self._entry(parts), names.new_owner(), Wait()
        news.news.start()
        try:
            return (yield from self._read(entry, parts, owner, wait))
        except Unreadable:
            yield from self._quietly(Ask(DROP, entry.keys[:1], [self.name, ""]))
            return (yield from self._bypass(entry, parts))
        except RedisError:
            return (yield from self._bypass(entry, parts))
        except Exception:
            raise
        except BaseException:  # cancelled while it asked: the lease may be ours
            yield from self._quietly(Ask(FAIL, entry.keys[:1], [owner, 0, ""]))
            raise
        finally:
            if wait.ring:
                news.news.remove(entry.keys[0], wait.ring)

    def _read(self, entry: Entry, parts: dict[str, Any], owner: str, wait: Wait) -> Steps:
        """Ask Redis until there is a value; load it if the answer gives us the lease."""
        ask = Ask(READ, entry.keys, [owner, int(self.lease * 1000), self.schema, self._early(), *entry.tags])
        tier, epoch = self._tier, self._tier.epoch if self._tier else 0
        while True:
            asked = time.monotonic()
            reply = (wait.ring and wait.ring.given) or (yield from self._ask(ask, wait))
            if type(reply) is bytes:
                self.counts.hit += 1
                if wait.ring and not wait.ring.given:
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
            yield from self._wait(entry, wait, number / 1000, paced=what == b"paced")

    def _ask(self, ask: Ask, wait: Wait) -> Steps:
        """Ask Redis, and once more after an error: the lease may have been in the lost answer, and its owner is the same."""
        try:
            return (yield ask)
        except redis.BreakerOpen:
            raise
        except RedisError:
            if wait.retried:
                raise
            wait.retried = True
        return (yield ask)

    def _wait(self, entry: Entry, wait: Wait, left: float, *, paced: bool) -> Steps:
        """Wait for another caller's load. left: seconds of its lease, or (`paced`) until the next load may begin."""
        now = time.monotonic()
        if paced and left > self.lease * 2:
            raise LoadFailed(self.name, f"loaded a moment ago, and not again for {left:.1f} s")
        if wait.ring is None:
            self.counts.wait += 1
            wait.give_up_at = now + self.lease * 2
            wait.ring = yield Listen(entry.keys[0])
            if not paced:
                return  # ask first: the value may have come before we listened
        if now > wait.give_up_at:
            raise LoadFailed(self.name, "waited in vain for another's load")
        poll = (POLL if news.news.hears else DEAF_POLL) * random.uniform(0.5, 1)  # noqa: S311
        yield Sleep(wait.ring, left if paced else min(poll, left + 0.001))

    def _early(self) -> int:
        return int(-1000 * self.early_refresh * math.log(1 - random.random())) if self.early_refresh else 0  # noqa: S311

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


def _tag(name: str, value: names.Part) -> str:
    return f"{name}:{names.digest(value)}"
