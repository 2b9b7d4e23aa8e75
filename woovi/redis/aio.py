"""`connections` for asyncio. Only input and output differ; the breaker and the limits are shared."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import redis.asyncio.connection
from redis import exceptions

from woovi.redis.address import Host
from woovi.redis.guard import Guard
from woovi.redis.roles import POLICIES, Role

Locate = Callable[[], Awaitable[Host]]


class Plain(redis.asyncio.connection.AbstractConnection):
    """A connection that writes without a task of its own."""

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Write, and leave the waiting to the read: redis-py makes a task of each write to bound it in time.

        Under Python 3.11 its `wait_for` also forgets a cancellation that comes as the write ends.
        """
        if not self.is_connected:
            await self.connect_check_health(check_health=False)
        if self._writer is None or self._writer.transport.is_closing():
            await self.disconnect(nowait=True)
            error = exceptions.ConnectionError("the server closed the connection")
            self._lost(error)
            raise error
        self._writer.writelines([command] if isinstance(command, bytes) else command)

    def _lost(self, error: exceptions.ConnectionError) -> None:
        """For those who count."""


class PlainTcp(Plain, redis.asyncio.connection.Connection):
    """`Plain` over TCP."""


class PlainTls(Plain, redis.asyncio.connection.SSLConnection):
    """`Plain` over TLS."""


class Guarded(Plain):
    """A connection that its server's breaker may refuse, and that finds its server by `locate`."""

    def __init__(self, *, guard: Guard, locate: Locate | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.guard, self.locate = guard, locate

    async def _connect(self) -> None:
        try:
            if self.locate:
                self.host, self.port = await self.locate()
            await super()._connect()  # type: ignore[safe-super, no-untyped-call]
        except (exceptions.ConnectionError, OSError) as error:
            self.guard.failed(error)
            raise

    def _lost(self, error: exceptions.ConnectionError) -> None:
        self.guard.failed(error)

    async def read_response(self, *args: Any, **kwargs: Any) -> Any:
        if "timeout" in kwargs:  # a subscriber that looks for messages: their absence is no failure
            return await super().read_response(*args, **kwargs)
        try:
            response = await super().read_response(*args, **kwargs)
        except exceptions.ReadOnlyError as error:
            self.guard.answered()
            if self.locate is None:
                raise
            await self.disconnect(nowait=True)
            raise exceptions.ConnectionError("the primary became a replica") from error
        except exceptions.ResponseError:
            self.guard.answered()
            raise
        except (exceptions.ConnectionError, exceptions.TimeoutError) as error:
            self.guard.failed(error)
            raise
        self.guard.answered()
        return response


class Tcp(Guarded, PlainTcp):
    """`Guarded` over TCP."""


class Tls(Guarded, PlainTls):
    """`Guarded` over TLS."""


class Unix(Guarded, redis.asyncio.connection.UnixDomainSocketConnection):
    """`Guarded` over a Unix socket."""

    async def on_connect(self) -> None:
        """Nothing: redis-py 8.1 calls this while it connects, and its caller shakes hands once more."""


class Node(Tcp):
    """A connection to a node of a Cluster, whose pools are not ours: it asks the breaker itself."""

    let_in = False

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        if not self.guard.is_open or self.let_in:
            return await super().send_packed_command(command, check_health)
        self.guard.admit()
        self.let_in = True  # the handshake, if there must be one, belongs to the same probe
        try:
            await super().send_packed_command(command, check_health)
        finally:
            self.let_in = False


class TlsNode(Node, Tls):
    """`Node` over TLS."""


class Pool(redis.asyncio.connection.ConnectionPool):
    """One event loop's connections to one server: bounded. A caller that finds none free waits in line."""

    def __init__(self, role: Role, guard: Guard, **kwargs: Any) -> None:
        self.guard, self.patience = guard, POLICIES[role].timeout
        self._line: deque[asyncio.Future[None]] = deque()
        super().__init__(guard=guard, max_connections=POLICIES[role].connections, **kwargs)

    async def get_connection(self, command_name: Any = None, *keys: Any, **options: Any) -> Any:
        if self.guard.is_open:
            self.guard.admit()
        while not self.can_get_connection():
            await self._wait()
        connection = self.get_available_connection()  # type: ignore[no-untyped-call]
        try:
            if connection.is_connected and await connection.can_read():  # closed by the server, or a late answer
                await connection.disconnect(nowait=True)
            if not connection.is_connected:
                await connection.connect()
        except BaseException:
            await self.release(connection)
            raise
        return connection

    async def _wait(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            async with asyncio.timeout(self.patience):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._next()  # our turn came as we left: pass it on
            if not isinstance(error, TimeoutError):
                raise
            raise exceptions.MaxConnectionsError(
                f"all {self.max_connections} connections of {self.guard.name} were busy for {self.patience} s"
            ) from error

    async def release(self, connection: Any) -> None:
        if connection not in self._in_use_connections:
            return
        self._in_use_connections.remove(connection)
        self._available_connections.append(connection)
        if connection.should_reconnect():
            await connection.disconnect()
        self._next()

    def _next(self) -> None:
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(None)
                return
