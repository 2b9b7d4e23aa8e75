"""Connections that report to the breaker, and the pool that bounds them. `aio` has their twins."""

from __future__ import annotations

import functools
import os
import select
import threading
from collections.abc import Callable
from typing import Any

import redis.connection
from redis import exceptions

from woovi.redis.address import Host
from woovi.redis.guard import Guard
from woovi.redis.roles import POLICIES, Role

Locate = Callable[[], Host]


class Guarded(redis.connection.AbstractConnection):
    """A connection that finds the primary, reports to the breaker and notices a dead socket.

    locate: asks the Sentinels for the primary before each connect. redis-py's own Sentinel connection was rejected: it
        keeps its socket after a time-out, and the late answer would be taken for the next command's.
    """

    def __init__(self, *, guard: Guard, locate: Locate | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.guard, self.locate = guard, locate

    def _connect(self) -> Any:
        try:
            if self.locate:
                self.host, self.port = self.locate()
            sock = super()._connect()  # type: ignore[safe-super, no-untyped-call]
        except (exceptions.ConnectionError, OSError) as error:
            self.guard.failed(error)
            raise
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        return sock

    def stale(self) -> bool:
        """Whether the idle connection has something to read: the server closed it, or an answer came late."""
        return bool(self._poll.poll(0))

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs and "timeout" in kwargs:  # a subscriber that looks for messages: their absence is no failure
            return super().read_response(*args, **kwargs)
        try:
            response = super().read_response(*args, **kwargs)
        except exceptions.ReadOnlyError as error:
            self.guard.answered()
            if self.locate is None:
                raise
            self.disconnect()  # type: ignore[no-untyped-call]
            raise exceptions.ConnectionError("the primary became a replica") from error
        except exceptions.ResponseError:
            self.guard.answered()
            raise
        except (exceptions.ConnectionError, exceptions.TimeoutError) as error:
            self.guard.failed(error)
            raise
        self.guard.answered()
        return response


class Tcp(Guarded, redis.connection.Connection):
    """`Guarded` over TCP."""


class Tls(Guarded, redis.connection.SSLConnection):
    """`Guarded` over TLS."""


class Unix(Guarded, redis.connection.UnixDomainSocketConnection):
    """`Guarded` over a Unix socket."""


class Pool(redis.connection.ConnectionPool):
    """A bounded pool. A caller that finds no free connection waits for at most the role's time-out.

    redis-py's BlockingConnectionPool does the same at three times the price. Safe after a fork: the child finds its
    process id changed and begins with no connection.
    """

    def __init__(self, role: Role, guard: Guard, **kwargs: Any) -> None:
        self.guard, self.patience = guard, POLICIES[role].timeout
        self._role, self._told = role, kwargs
        super().__init__(guard=guard, max_connections=POLICIES[role].connections, **kwargs)

    @functools.cached_property
    def waiting(self) -> Pool:
        """The same for commands that wait at the server (`woovi.redis.waiting`): they take no connection from here."""
        return Pool(self._role, self.guard, **self._told)

    def disconnect(self, inuse_connections: bool = True) -> None:
        super().disconnect(inuse_connections)
        if "waiting" in vars(self):
            self.waiting.disconnect(inuse_connections)

    def reset(self) -> None:
        # New, because another thread may have held the parent's at the fork.
        self._lock = threading.RLock()
        self._freed = threading.Condition(self._lock)
        self._waiting = 0
        super().reset()

    def get_connection(self, command_name: Any = None, *keys: Any, **options: Any) -> Any:
        if self.pid != os.getpid():
            self._checkpid()
        if self.guard.is_open:
            self.guard.admit()
        with self._lock:
            connection: Any = self._available_connections.pop() if self._available_connections else self._another()
            self._in_use_connections.add(connection)
        try:
            if connection._sock is not None and connection.stale():
                connection.disconnect()
            if connection._sock is None:
                connection.connect()
        except BaseException:
            self.release(connection)
            raise
        return connection

    def _another(self) -> Any:
        """A new connection, or one that is released while we may wait. The lock is held."""
        if self._created_connections < self.max_connections:
            return self.make_connection()
        self._waiting += 1
        found = self._freed.wait_for(lambda: self._available_connections, self.patience)
        self._waiting -= 1
        if not found:
            raise exceptions.MaxConnectionsError(
                f"all {self.max_connections} connections of {self.guard.name} were busy for {self.patience} s"
            )
        return self._available_connections.pop()

    def release(self, connection: Any) -> None:
        if connection.pid != os.getpid():
            return  # taken before the fork: the parent's
        with self._lock:
            if connection not in self._in_use_connections:
                return
            self._in_use_connections.discard(connection)
            if connection.should_reconnect():
                connection.disconnect()
            self._available_connections.append(connection)
            if self._waiting:
                self._freed.notify()
