"""Names: of rows, of their keys, and of who holds them.

The part of a key in braces is its hash tag: a row's keys share a slot of a Cluster, and rows spread over the slots.
"""

from __future__ import annotations

import itertools
import os
import re
import secrets
import socket
from collections.abc import Iterable
from typing import Any, NamedTuple


class Row(NamedTuple):
    """A row to lock. Rows are locked in the order of (label, pk), a pk compared as its own type: 9 before 10."""

    label: str  # "app.model"
    pk: Any


def key(row: Row) -> str:
    """The Redis key of the row's holder."""
    return f"lk:{{{row.label}:{row.pk}}}"


def keys(rows: Iterable[Row]) -> list[str]:
    """KEYS of the scripts: for each row its holder, last fence, hand and waiters."""
    return [name + part for name in map(key, rows) for part in ("", ":f", ":h", ":w")]


def _new_process() -> None:
    """Name this process, as host/process/random. At import, or two threads could make two names."""
    global _process
    _process = f"{re.sub(r'[^a-zA-Z0-9_-]', '-', socket.gethostname())[:40]}/{os.getpid()}/{secrets.token_hex(6)}"


def process() -> str:
    """This process's name. A forked child has another."""
    return _process


def new_owner() -> str:
    """An id that no other acquisition has, in any process."""
    return f"{_process}.{next(_numbers)}"


_numbers = itertools.count(1)
_process: str
_new_process()
os.register_at_fork(after_in_child=_new_process)
