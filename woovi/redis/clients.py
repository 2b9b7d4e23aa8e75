"""`client(role)` and `aclient(role)`: a process has one client of each role, and each event loop one. Made at first use."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import threading
from collections.abc import AsyncGenerator
from typing import Any

import redis
import redis.asyncio

from woovi.redis import aio as aconnections
from woovi.redis import cluster, connections, guard, sentinel
from woovi.redis.address import Address
from woovi.redis.roles import POLICIES, Role, address, limits


class Loop:
    """An event loop's clients, closed when it shuts down its asynchronous generators, as asyncio.run and its like do.

    A loop has no hook of its own for its end. The generator's first step ends at its `yield` without waiting, so it
    can be driven from here; the loop notes the generator then.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.clients: dict[Role, redis.asyncio.Redis] = {}
        self.end = self._until_the_end(loop)
        with contextlib.suppress(StopIteration):
            self.end.__anext__().__await__().send(None)

    async def _until_the_end(self, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            _loops.pop(loop, None)
            for each in self.clients.values():
                await each.aclose(close_connection_pool=True)


_lock = threading.Lock()
_clients: dict[Role, redis.Redis] = {}
_loops: dict[asyncio.AbstractEventLoop, Loop] = {}


def client(role: Role) -> redis.Redis:
    """This process's client of `role`, shared by its threads and safe after a fork.

    Raises ImproperlyConfigured where the address makes no sense. A Cluster's client (typed as a Redis, whose commands
    it has) asks for the slots at once: redis.exceptions.ConnectionError where none of its nodes answers.
    """
    found = _clients.get(role)
    if found is None:
        with _lock:
            found = _clients.get(role) or connect(role, address(role))
            _clients[role] = found
    return found


def aclient(role: Role) -> redis.asyncio.Redis:
    """The running event loop's client of `role`. Its connections are closed with the loop."""
    loop = asyncio.get_running_loop()
    mine = _loops.get(loop)
    if mine is None:
        mine = _loops[loop] = Loop(loop)
    found = mine.clients.get(role)
    if found is None:
        found = mine.clients[role] = aconnect(role, address(role))
    return found


def in_slots(role: Role) -> bool:
    """Whether a Cluster serves `role`: what one script may touch lies in one slot there. Raises as `client` does."""
    return _is_cluster(type(client(role)))


@functools.cache
def _is_cluster(kind: type) -> bool:
    return issubclass(kind, redis.RedisCluster)  # slow: its bases are abstract


def close() -> None:
    """Close this process's connections and forget every breaker: the next call reads the addresses anew. For tests."""
    for each in list(_clients.values()):  # a copy: the listeners' threads ask for their clients whenever they like
        if isinstance(each, redis.RedisCluster):
            each.close()
        else:
            each.connection_pool.disconnect()
    _loops.clear()
    _forget()


def _forget() -> None:
    """In a forked child too. The parent's loops stay where they are: to close their sockets here would wake them."""
    global _lock
    _lock = threading.Lock()  # another thread may have held it at the fork
    _clients.clear()
    guard.forget()


os.register_at_fork(after_in_child=_forget)


def connect(role: Role, place: Address) -> redis.Redis:
    """A new client of the server at `place`, with the time-outs and connections of `role`."""
    if place.topology == "cluster":
        return cluster.connect(role, place)  # type: ignore[return-value]
    known = common(role, place)
    if place.topology == "sentinel":
        known["locate"] = sentinel.locator(role, place)
    kind = connections.Unix if place.path else connections.Tls if place.tls else connections.Tcp
    pool = connections.Pool(
        role, guard.guard(role, str(place)), connection_class=kind, retry=POLICIES[role].retry, **known
    )
    return redis.Redis(connection_pool=pool)


def aconnect(role: Role, place: Address) -> redis.asyncio.Redis:
    """`connect` for the running event loop."""
    if place.topology == "cluster":
        return cluster.aconnect(role, place)  # type: ignore[return-value]
    known = common(role, place)
    if place.topology == "sentinel":
        known["locate"] = sentinel.alocator(role, place)
    kind = aconnections.Unix if place.path else aconnections.Tls if place.tls else aconnections.Tcp
    pool = aconnections.Pool(
        role, guard.guard(role, str(place)), connection_class=kind, retry=POLICIES[role].aretry, **known
    )
    return redis.asyncio.Redis(connection_pool=pool)


def common(role: Role, place: Address) -> dict[str, Any]:
    """The arguments of every connection to one server."""
    known = {**limits(role), **place.login, "db": place.db}
    if place.path:
        return {**known, "path": place.path}
    if place.topology == "standalone":
        known["host"], known["port"] = place.hosts[0]
    return known
