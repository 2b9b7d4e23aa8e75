"""redis-py's Cluster clients, made to use our connections: bounded, guarded a node, with the role's time-outs."""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

import redis
import redis.asyncio
from redis import exceptions
from redis.asyncio.cluster import ClusterNode as AsyncClusterNode
from redis.cluster import ClusterNode

from woovi.redis import aio, connections
from woovi.redis.address import Address
from woovi.redis.guard import guard
from woovi.redis.roles import POLICIES, Role, limits


class Cluster(redis.RedisCluster):
    """Raises a ConnectionError where no node answers; redis-py's RedisClusterException is no RedisError."""

    def __init__(self, pools: WeakSet[connections.Pool], **kwargs: Any) -> None:
        self.pools = pools  # redis-py forgets those of nodes that it no longer knows, and leaves their sockets open
        try:
            super().__init__(**kwargs)
        except exceptions.RedisClusterException as error:
            self.close()
            raise _plain(error) from error

    def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().execute_command(*args, **kwargs)  # type: ignore[no-untyped-call]
        except exceptions.RedisClusterException as error:
            raise _plain(error) from error

    def close(self) -> None:
        for pool in list(self.pools):
            pool.disconnect()


class AsyncCluster(redis.asyncio.RedisCluster):
    """A Cluster client for asyncio that knows the slots before it sends."""

    async def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        try:
            # redis-py 8.1 sends what is asked before it knows the slots to any node, and closes every connection,
            # those in use too, after five redirections (hence `reinitialize_steps` below).
            await self.initialize()
            return await super().execute_command(*args, **kwargs)
        except exceptions.RedisClusterException as error:
            raise _plain(error) from error

    async def aclose(self, close_connection_pool: bool = True) -> None:
        """With the argument that redis.asyncio.Redis has; a Cluster's client shares its pools with nobody."""
        await super().aclose()


def connect(role: Role, place: Address) -> Cluster:
    """A client of the Cluster at `place`, with the role's limits."""
    kind = connections.Tls if place.tls else connections.Tcp
    pools: WeakSet[connections.Pool] = WeakSet()

    def pool(**known: Any) -> connections.Pool:
        node = guard(role, f"{known['host']}:{known['port']}")
        for ours in ("connection_class", "max_connections", "timeout"):
            known.pop(ours, None)
        made = connections.Pool(role, node, connection_class=kind, **known)
        pools.add(made)
        return made

    host, port = place.hosts[0]
    return Cluster(
        pools,
        # Only a client made of a URL lets us choose its pools.
        url=f"redis://[{host}]:{port}" if ":" in host else f"redis://{host}:{port}",
        startup_nodes=[ClusterNode(*each) for each in place.hosts[1:]],  # type: ignore[no-untyped-call]
        connection_pool_class=pool,
        retry=POLICIES[role].retry,
        **limits(role),
        **place.login,
    )


def aconnect(role: Role, place: Address) -> AsyncCluster:
    """`connect` for asyncio."""
    made = AsyncCluster(
        startup_nodes=[AsyncClusterNode(*each) for each in place.hosts],
        retry=POLICIES[role].aretry,
        max_connections=POLICIES[role].connections,
        reinitialize_steps=0,
        ssl=place.tls,
        **limits(role),
        **place.login,
    )

    def connection(**known: Any) -> aio.Node:
        node = guard(role, f"{known['host']}:{known['port']}")
        return (aio.TlsNode if place.tls else aio.Node)(guard=node, **known)

    # As redis-py's own maintenance notifications do it: for nodes to come, and for those made already.
    made.connection_kwargs["connection_class"] = connection
    for node in made.nodes_manager.startup_nodes.values():
        node.connection_class = connection  # type: ignore[assignment]
    return made


def _plain(error: exceptions.RedisClusterException) -> Exception:
    """Misuse has no cause and stays what it is."""
    return exceptions.ConnectionError(str(error)) if error.__cause__ else error
