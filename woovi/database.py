"""The database connection of this thread, and when it must be given back."""

from __future__ import annotations

from django.db import connection


def let_go() -> None:
    """Give this thread's connection back to the pool. To be called before every wait for somebody else's server.

    A thread that keeps one while a bank hangs takes it from all others: some twenty such threads, and the process
    answers nothing any more. The next query takes a connection again, for less than a millisecond.

    Raises:
        RuntimeError: a transaction of ours is open. It would hold its locks for as long as the other side likes, and
            cannot undo what that has done. The transaction that a test runs in is not ours.
    """
    if any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks):
        raise RuntimeError("another server must not be called inside a database transaction")
    if not connection.in_atomic_block:
        connection.close()
