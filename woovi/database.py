"""The database connection of this thread: when it must be given back, when its transaction has ended, what time it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import connection, connections


def now() -> datetime:
    """The time by the database's clock, the one that all processes share: for ages that money hangs on."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        at: datetime = cursor.fetchone()[0]
    return at


def let_go() -> None:
    """Return this thread's connection to the pool. Call it before waiting for an external server.

    Twenty threads that kept their connections while a bank hangs would use up the pool, and the process could answer
    nothing. Getting a connection again takes the next query less than a millisecond.

    Raises:
        RuntimeError: a transaction is open. It would hold its locks during the external call, and its rollback could
            not undo that call. A test's surrounding transaction does not count.
    """
    if in_transaction("default"):
        raise RuntimeError("another server must not be called inside a database transaction")
    if not connection.in_atomic_block:
        connection.close()


def in_transaction(using: str) -> bool:
    """Whether an atomic() block is open. A test's surrounding transaction does not count."""
    return any(not getattr(block, "_from_testcase", False) for block in connections[using].atomic_blocks)


def when_ended(connection: Any, act: Callable[[], None]) -> None:
    """Call `act` once, when the outermost transaction has ended, however it ended.

    Django drops `on_commit` hooks when a savepoint or the transaction is rolled back, and the rest of them when one
    raises. Both ends pass through `set_autocommit(True)`, or through `close()` when the connection broke.
    """
    before = {name: vars(connection).get(name) for name in ("set_autocommit", "close")}

    def wrap(method: Callable[..., Any]) -> Callable[..., Any]:
        def ended(*args: Any, **kwargs: Any) -> Any:
            for name, earlier in before.items():  # as it was: a deferred lock before us wraps too
                if earlier is None:
                    vars(connection).pop(name, None)
                else:
                    setattr(connection, name, earlier)
            try:
                return method(*args, **kwargs)
            finally:
                act()

        return ended

    for name in before:
        setattr(connection, name, wrap(getattr(connection, name)))
