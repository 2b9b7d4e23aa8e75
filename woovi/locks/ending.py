"""Do something when the outermost transaction has ended, however it ended.

`on_commit` is not enough: Django drops its hooks when a savepoint or the transaction is rolled back, and the rest of
them when one raises. Both ends of a transaction pass through `set_autocommit(True)`, or through `close()` when the
connection broke, so this one connection's two methods are wrapped until then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def when_ended(connection: Any, act: Callable[[], None]) -> None:
    """Call `act` once, after the commit or the rollback of the transaction that is open now."""
    before = {name: vars(connection).get(name) for name in ("set_autocommit", "close")}

    def wrap(name: str) -> None:
        method = getattr(connection, name)

        def ended(*args: Any, **kwargs: Any) -> Any:
            for each, earlier in before.items():  # as it was: a deferred lock before us wraps too
                if earlier is None:
                    vars(connection).pop(each, None)
                else:
                    setattr(connection, each, earlier)
            try:
                return method(*args, **kwargs)
            finally:
                act()

        setattr(connection, name, ended)

    wrap("set_autocommit")
    wrap("close")
