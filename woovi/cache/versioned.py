"""`VersionedCache`: values of rows, never older than the database, whichever process crashes.

    before the commit   the value is dropped and an intent is set: while there is one, readers ask the database
    after the commit    the intent is dropped; the next reader brings the new value
    after a crash       the intent stays until its deadline, which is later than any transaction's end

A reader may store a value only under a lease, and an intent ends the lease. So an old value is never put back. The writer
stores none: most values of a busy row would be dropped by the next write before anybody has read them.
Source: "Scaling Memcache at Facebook" (leases). The intent makes a crash after the commit harmless.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from asgiref.sync import sync_to_async
from django.db import DEFAULT_DB_ALIAS, transaction
from redis.exceptions import RedisError

from woovi import outbox, redis
from woovi.cache import codec, metrics, names, news
from woovi.cache.errors import Unreadable
from woovi.cache.names import new_owner
from woovi.cache.scripts import INTEND, LOOK, OFFER, SETTLE

ROLE: redis.Role = "locks"  # an intent must not be evicted, and that server evicts nothing
TOPIC = "cache:settle"
Read = Callable[[Collection[int]], Mapping[int, tuple[int, Any]]]

registry: dict[str, VersionedCache] = {}


class VersionedCache:
    """Values of rows, by primary key.

    Args:
        name: the cache's name, in keys and metrics.
        read: returns {pk: (version, value)} from the primary database, in one statement. The version grows with every
            commit that changes the row's value.
        ttl: seconds that a value is kept.
        deadline: seconds that an intent lives at most. It must be longer than any transaction, which the database must
            enforce (idle_in_transaction_session_timeout).
        lease: seconds in which one reader may store what it read. Other readers read the database meanwhile.
        schema: version of the values' shape, as for a ReadThroughCache.
        using: the database's alias.
        staleness: how old a shown value can be, in words, for the operators' page.

    A value from here must not authorise a debit: a condition in the database's own statement does that.
    """

    secret = False

    def __init__(
        self, name: str, read: Read, *, ttl: float = 60, deadline: float = 60, lease: float = 2, schema: int = 1,
        using: str = DEFAULT_DB_ALIAS, staleness: str = "",
    ) -> None:  # fmt: skip
        self.name, self.read, self.ttl, self.deadline, self.lease = name, read, ttl, deadline, lease
        self.schema, self.using, self.staleness = schema, using, staleness
        self._lease = int(lease * 1000)
        self.counts = metrics.counts(name)
        registry[name] = self

    def get(self, pk: int) -> Any:
        """The row's value. Inside a transaction it is read from the database. Raises KeyError where there is no row."""
        if transaction.get_connection(self.using).in_atomic_block:
            return self.read_now(pk)
        owner = new_owner()
        news.news.start()  # which carries the counts
        try:
            reply = LOOK(redis.client(ROLE), self._keys(pk), [owner, self._lease])
        except RedisError:
            return self.read_now(pk)
        if (found := self._opened(reply)) is not None:
            return found[0]
        version, value = self._one(pk)
        if reply == 1:
            try:
                self._offered(OFFER(redis.client(ROLE), self._keys(pk), self._offer(owner, version, value)))
            except RedisError:
                pass
        return value

    async def aget(self, pk: int) -> Any:
        """`get` for asyncio."""
        if transaction.get_connection(self.using).in_atomic_block:
            return await sync_to_async(self.read_now)(pk)
        owner = new_owner()
        news.news.start()
        try:
            reply = await LOOK.acall(redis.aclient(ROLE), self._keys(pk), [owner, self._lease])
        except RedisError:
            return await sync_to_async(self.read_now)(pk)
        if (found := self._opened(reply)) is not None:
            return found[0]
        version, value = await sync_to_async(self._one)(pk)
        if reply == 1:
            try:
                offer = self._offer(owner, version, value)
                self._offered(await OFFER.acall(redis.aclient(ROLE), self._keys(pk), offer))
            except RedisError:
                pass
        return value

    def read_now(self, pk: int) -> Any:
        """The row's value from the database. Raises KeyError."""
        self.counts.bypass += 1
        return self._one(pk)[1]

    def intend(self, pks: Collection[int], tenant: str) -> bool:
        """Announce that rows will change. Call it in the transaction that changes them, before the change.

        Returns whether Redis has the intents. If not, an outbox event settles the rows after the commit, and the caller
        must make readers use `read_now` for `doubt` seconds. Raises RuntimeError outside a transaction.
        """
        if not transaction.get_connection(self.using).in_atomic_block:
            raise RuntimeError("an intent is set in the transaction that it is about")
        intents = {pk: new_owner() for pk in pks}
        try:
            for pk, intent in intents.items():
                INTEND(redis.client(ROLE), self._keys(pk), [intent, int(self.deadline * 1000)])
            known = True
        except RedisError:
            outbox.write(TOPIC, tenant, {"cache": self.name, "pks": list(pks)})
            known = False
        transaction.on_commit(partial(self._settle_quietly, intents), using=self.using, robust=True)
        return known

    @property
    def doubt(self) -> float:
        """Seconds in which Redis may still have the old value, after a change that was not announced there."""
        return self.ttl + self.lease

    def settle(self, intents: Mapping[int, str]) -> None:
        """After the commit: drop the rows' intents.

        intents: the intent of each pk, "" for a row without one. Raises redis.exceptions.RedisError.
        """
        for pk, intent in intents.items():
            SETTLE(redis.client(ROLE), self._keys(pk), [intent])

    def invalidate(self, pk: int) -> None:
        """Drop the row's value. Raises redis.exceptions.RedisError."""
        redis.client(ROLE).delete(self._keys(pk)[0])

    def _settle_quietly(self, intents: Mapping[int, str]) -> None:
        try:
            self.settle(intents)
        except RedisError:
            pass  # the intents end at their deadline

    def _one(self, pk: int) -> tuple[int, Any]:
        return self.read([pk])[pk]

    def _keys(self, pk: int) -> list[str]:
        key = f"v:{{{self.name}:{names.digest(pk)}}}"
        return [key, key + ":w"]

    def _offer(self, owner: str, version: int, value: object) -> list[Any]:
        return [owner, version, codec.pack([self.schema, value]), int(self.ttl * 1000)]

    def _offered(self, taken: int) -> None:
        self.counts.refused += not taken

    def _opened(self, reply: Any) -> tuple[Any] | None:
        """The value of a hit, in a tuple, or None for any other reply."""
        if type(reply) is bytes:
            try:
                _, (schema, value) = codec.unpack(reply)
            except (Unreadable, TypeError, ValueError):
                schema = None
            if schema == self.schema:
                self.counts.hit += 1
                return (value,)
        self.counts.miss += reply == 1
        self.counts.wait += reply == 0
        return None


def settle(events: list[Any]) -> None:
    """Outbox handler of `cache:settle`: settle rows whose change could not be announced before its commit."""
    for event in events:
        cache = registry[event.payload["cache"]]
        try:
            cache.settle(dict.fromkeys(event.payload["pks"], ""))
        except RedisError as error:
            raise outbox.Unavailable(f"Redis does not answer: {error}") from error
