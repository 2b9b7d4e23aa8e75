"""A connection of the pool is looked at before it is used, without asking the server.

Django's CONN_HEALTH_CHECKS sends an empty statement each time: one round trip more for each request, and another one after
each call to a bank. A server that ends sessions closes their sockets, and the operating system knows that already. A server whose
machine is gone without a word answers neither way: a statement would wait just as long.
"""

from __future__ import annotations

import select
from typing import Any

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's, which takes no connection from the pool that the server has ended."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        found: Any = super().get_new_connection(conn_params)
        for _ in range(self.pool.max_size if self.pool else 0):  # all may have ended at once
            if not _has_ended(found):
                break
            found.close()
            self.pool.putconn(found)  # which makes another one instead
            found = super().get_new_connection(conn_params)
        return found


def _has_ended(connection: Any) -> bool:
    """Whether the server has said something that nobody asked for: its good-bye, or the end of the stream."""
    look = select.poll()
    look.register(connection.fileno(), select.POLLIN)
    return bool(look.poll(0))
