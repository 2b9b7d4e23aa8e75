"""Lua scripts: called by their hash, and sent whole to a server that does not have them yet.

    ACQUIRE = Script(Path(__file__).parent / "lua" / "acquire.lua")
    ACQUIRE(client("locks"), [key], [owner, 10_000])
    await ACQUIRE.acall(aclient("locks"), [key], [owner, 10_000])

The client is passed with each call, so one script serves every topology. All keys of a call must lie in one hash slot. A
script must be idempotent: after a time-out the caller does not know whether it ran.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import redis
import redis.asyncio
from hiredis import pack_command
from redis import exceptions
from redis.cluster import RedisCluster

from woovi.redis.guard import BreakerOpen

Value = bytes | str | int
_finding_out = threading.Lock()
REDIRECTS = (exceptions.MovedError, exceptions.AskError, exceptions.TryAgainError, exceptions.ClusterDownError)


class Script:
    """A Lua script. Calls cost little over the bare socket: redis-py's client would double their time."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self.source = path.read_bytes()
        self.sha = hashlib.sha1(self.source, usedforsecurity=False).hexdigest().encode()

    def __repr__(self) -> str:
        return f"<Script {self.name}>"

    def __call__(self, client: redis.Redis, keys: Sequence[Value], args: Sequence[Value] = ()) -> Any:
        """Run the script and return its answer. Raises redis.exceptions.RedisError, BreakerOpen among them."""
        if type(client) is not redis.Redis and isinstance(client, RedisCluster):  # the first is much cheaper
            return self._in_cluster(client, keys, args)
        pool: Any = client.connection_pool
        return self._on(pool, keys, args)

    async def acall(self, client: redis.asyncio.Redis, keys: Sequence[Value], args: Sequence[Value] = ()) -> Any:
        """A call for asyncio."""
        if not isinstance(client, redis.asyncio.Redis):
            return await self._in_acluster(client, keys, args)
        pool: Any = client.connection_pool
        connection = await pool.get_connection()
        try:
            await connection.send_packed_command(self._evalsha(keys, args), False)
            try:
                return await connection.read_response()
            except exceptions.NoScriptError:
                await connection.send_packed_command(self._eval(keys, args), False)
                return await connection.read_response()
        except exceptions.ResponseError:
            raise
        except BaseException:  # half an answer may be on its way
            await connection.disconnect(nowait=True)
            raise
        finally:
            await pool.release(connection)

    def _on(self, pool: Any, keys: Sequence[Value], args: Sequence[Value]) -> Any:
        connection: Any = pool.get_connection()
        try:
            connection.send_packed_command((self._evalsha(keys, args),), False)
            try:
                return connection.read_response()
            except exceptions.NoScriptError:
                connection.send_packed_command((self._eval(keys, args),), False)
                return connection.read_response()
        except exceptions.ResponseError:
            raise
        except BaseException:  # half an answer may be on its way
            connection.disconnect()
            raise
        finally:
            pool.release(connection)

    def _in_cluster(self, client: Any, keys: Sequence[Value], args: Sequence[Value]) -> Any:
        node = client.nodes_manager.get_node_from_slot(client.keyslot(keys[0]))
        try:
            return self._on(node.redis_connection.connection_pool, keys, args)
        except REDIRECTS:  # it did not run: redis-py learns the new slots and follows
            return client.execute_command("EVAL", self.source, len(keys), *keys, *args)
        except BreakerOpen:
            raise
        except (exceptions.ConnectionError, exceptions.TimeoutError):
            # It may have run and is not sent again; but who is asked next time? One finds out: a crowd would queue up
            # at the client's lock, each for the time-outs of all before it.
            if _finding_out.acquire(blocking=False):
                try:
                    client.nodes_manager.initialize(last_failed_node_name=node.name)
                except exceptions.RedisClusterException:
                    pass
                finally:
                    _finding_out.release()
            raise

    async def _in_acluster(self, client: Any, keys: Sequence[Value], args: Sequence[Value]) -> Any:
        try:
            return await client.execute_command("EVALSHA", self.sha, len(keys), *keys, *args)
        except exceptions.NoScriptError:
            return await client.execute_command("EVAL", self.source, len(keys), *keys, *args)

    def _evalsha(self, keys: Sequence[Value], args: Sequence[Value]) -> Any:
        return pack_command((b"EVALSHA", self.sha, len(keys), *keys, *args))  # type: ignore[arg-type]

    def _eval(self, keys: Sequence[Value], args: Sequence[Value]) -> Any:
        return pack_command((b"EVAL", self.source, len(keys), *keys, *args))  # type: ignore[arg-type]


def _in_child() -> None:
    """Another thread may have held it at the fork."""
    global _finding_out
    _finding_out = threading.Lock()


os.register_at_fork(after_in_child=_in_child)
