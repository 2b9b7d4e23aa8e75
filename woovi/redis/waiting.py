"""Commands that wait at the server, such as BLPOP, each on a connection of its own.

    with Waiting(client("locks"), key) as place:
        answer = place.answer(0.5, "BLPOP", key, 30)  # None: not yet. The place in the server's line is kept

They take no connection from other commands, and a role's time-out does not end them.
"""

from __future__ import annotations

import asyncio
import math
from types import TracebackType
from typing import Any, Self
from weakref import WeakKeyDictionary

import redis
import redis.asyncio
from hiredis import pack_command
from redis import exceptions
from redis.cluster import RedisCluster

# Room for tasks that wait, by client (of one event loop) and server.
_room: WeakKeyDictionary[Any, dict[str, asyncio.Semaphore]] = WeakKeyDictionary()


class Waiting:
    """For a thread. At most as many of a process wait at one server as its role has connections."""

    def __init__(self, client: redis.Redis, key: str) -> None:
        self._client, self._key = client, key
        self._pool: Any = None
        self._connection: Any = None

    def answer(self, seconds: float, *command: Any) -> Any:
        """Send `command`, if none is waiting, and wait up to `seconds` for its answer. None: no answer yet, or nil.

        After an answer or an error the next call sends its command. Raises RedisError, such as UNBLOCKED after a failover.
        """
        if self._connection is None:
            self._pool = _pool(self._client, self._key).waiting
            self._connection = self._pool.get_connection()
            try:
                self._connection.send_packed_command((pack_command(command),), False)
            except BaseException:
                self.leave()
                raise
        try:
            answer = self._connection.read_response(timeout=max(seconds, 0.001), disconnect_on_error=False)
        except exceptions.TimeoutError:
            return None
        except BaseException:  # UNBLOCKED and READONLY among them: that server is a replica now
            self.leave()
            raise
        self._free()
        return answer

    def leave(self) -> None:
        """Give up the place: the server forgets whom it cannot reach."""
        if self._connection is not None:
            self._connection.disconnect()
            self._free()

    def _free(self) -> None:
        self._pool.release(self._connection)
        self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.leave()


def _pool(client: Any, key: str) -> Any:
    if isinstance(client, RedisCluster):
        node: Any = client.nodes_manager.get_node_from_slot(client.keyslot(key))  # type: ignore[no-untyped-call]
        return node.redis_connection.connection_pool
    return client.connection_pool


class AsyncWaiting:
    """For a task. Its connection is new, and closed when it leaves: many tasks may wait, and seldom do.

    As many of an event loop wait at one server as their role has connections. Others get no answer meanwhile.
    """

    def __init__(self, client: redis.asyncio.Redis, key: str) -> None:
        self._client, self._key = client, key
        self._asked: asyncio.Task[Any] | None = None

    async def answer(self, seconds: float, *command: Any) -> Any:
        """`Waiting.answer` for asyncio."""
        if self._asked is None:
            self._asked = asyncio.create_task(self._ask(command))
        await asyncio.wait({self._asked}, timeout=max(seconds, 0))
        if not self._asked.done():
            return None
        asked, self._asked = self._asked, None
        return asked.result()

    async def _ask(self, command: tuple[Any, ...]) -> Any:
        client: Any = self._client
        if isinstance(client, redis.asyncio.Redis):
            place: Any = client.connection_pool
            name = ""
        else:  # a Cluster's
            await client.initialize()
            place = client.get_node_from_key(self._key)
            name = place.name
        rooms = _room.setdefault(client, {})
        async with rooms.setdefault(name, asyncio.Semaphore(place.max_connections)):
            connection = place.connection_class(**place.connection_kwargs)
            try:
                await connection.connect()
                await connection.send_packed_command(pack_command(command), False)
                return await connection.read_response(timeout=math.inf)
            finally:
                await connection.disconnect(nowait=True)

    def leave(self) -> None:
        if self._asked is not None:
            self._asked.cancel()
            self._asked = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.leave()
