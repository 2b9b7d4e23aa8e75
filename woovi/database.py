"""The database connection of this thread: when it must be given back, and rows by statements that are written out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import Model


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


def columns(model: type[Model], table: str) -> str:
    """The model's columns as `rows` wants them, of what the statement calls `table`."""
    return ", ".join(f'{table}."{field.column}"' for field in model._meta.concrete_fields)


def rows(sql: str, params: Sequence[Any], *models: type[Model]) -> list[tuple[Any, ...]]:
    """Run a statement of which each row holds the `columns` of these models, one model beside the other.

    For the few that every payment runs: to put forty columns into words again each time takes Django a millisecond of
    processor time, and `Model.objects.raw` half of that.
    """
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return [tuple(_made(models, row)) for row in cursor.fetchall()]


def _made(models: Sequence[type[Model]], row: Sequence[Any]) -> list[Model]:
    made, at = [], 0
    for model in models:
        names, converters = _shape(model)
        values = list(row[at : (at := at + len(names))])
        for place, convert in converters:
            values[place] = convert(values[place], None, connection)
        made.append(model.from_db(connection.alias, names, values))
    return made


@cache
def _shape(model: type[Model]) -> tuple[list[str], list[tuple[int, Callable[..., Any]]]]:
    """Names of the model's fields, and what makes Python values (of JSON) by their places."""
    fields = model._meta.concrete_fields
    converters = [(n, field.from_db_value) for n, field in enumerate(fields) if hasattr(field, "from_db_value")]
    return [field.attname for field in fields], converters
