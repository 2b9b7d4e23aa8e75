"""Rows, their order and their keys.

The part in braces is the hash tag: a row's keys share a slot of a Cluster, and rows spread over the slots.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple


class Row(NamedTuple):
    """What a lock locks. Rows are taken in the order of (label, pk), a pk compared as its own type: 9 before 10."""

    label: str  # "app.model"
    pk: Any


def key(row: Row) -> str:
    """The key that says who holds the row."""
    return f"lk:{{{row.label}:{row.pk}}}"


def keys(rows: Iterable[Row]) -> list[str]:
    """KEYS of the scripts: holder, last fence and queue of each row."""
    found = []
    for row in rows:
        name = key(row)
        found += [name, name + ":f", name + ":q"]
    return found
