"""SQL statements prepared once per connection, for the few that every payment runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import Field, Model
from psycopg import pq
from psycopg.adapt import Transformer
from psycopg.pq.abc import PGresult
from psycopg.types.json import Jsonb

# Names of each session's prepared statements.
_prepared: WeakKeyDictionary[psycopg.Connection[Any], dict[str, bytes]] = WeakKeyDictionary()


def columns(model: type[Model], table: str) -> str:
    """The model's columns as `rows` wants them, of what the statement calls `table`."""
    return ", ".join(f'{table}."{field.column}"' for field in model._meta.concrete_fields)


def execute(sql: str, *values: Any) -> PGresult:
    """Run a statement that the server parses and plans once per connection, on Django's connection and in its transaction.

    Django's cursor writes values into the statement's text, which the server plans anew each
    time, which takes longer than running them. psycopg's own preparing was rejected: it costs the client twice the time,
    and forgets all statements at each rollback. `values` go as text for $1, $2 ..., typed by the statement. Its
    columns must be named, not `*`: a plan does not outlive a change of its result.

    Raises django.db.Error.
    """
    database = connections[DEFAULT_DB_ALIAS]  # looked up once: each access through `connection` costs microseconds
    database.ensure_connection()
    database.validate_no_broken_transaction()
    session: psycopg.Connection[Any] = database.connection
    names = _prepared.setdefault(session, {})
    with database.wrap_database_errors:
        if not session.autocommit and session.pgconn.transaction_status == pq.TransactionStatus.IDLE:
            _checked(session, session.pgconn.exec_(b"BEGIN"))
        if sql not in names:
            name = f"woovi_{len(names)}".encode()
            _checked(session, session.pgconn.prepare(name, sql.encode()))
            names[sql] = name
        texts: Any = [_text(value) for value in values]  # psycopg accepts None, though its types do not say so
        return _checked(session, session.pgconn.exec_prepared(names[sql], texts))


def _text(value: Any) -> bytes | None:
    if value is None:
        return None
    if isinstance(value, psycopg.Binary):
        return b"\\x" + bytes(value.obj).hex().encode()
    if isinstance(value, Jsonb):
        text = json.dumps(value.obj)
    elif isinstance(value, list):
        text = "{" + ",".join(map(str, value)) + "}"
    else:
        text = str(value)
    if "\0" in text:  # libpq would take it for the end
        raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
    return text.encode()


def _checked(session: psycopg.Connection[Any], result: PGresult) -> PGresult:
    if session.pgconn.status == pq.ConnStatus.BAD:
        raise psycopg.OperationalError("the connection to the database is lost")
    if result.status not in {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK}:
        raise psycopg.errors.error_from_result(result, session.info.encoding)
    return result


def fetch(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """The rows of `execute`, as Python values."""
    result = execute(sql, *values)
    loaders = Transformer(connection.connection)
    loaders.set_pgresult(result)
    return loaders.load_rows(0, result.ntuples, tuple)


def rows(models: Sequence[type[Model]], sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """`fetch`, where each row holds the `columns` of these models, one model beside the other.

    Django takes a millisecond of CPU time to compile a query of forty columns, `Model.objects.raw` half of that.
    """
    return [tuple(_made(models, row)) for row in fetch(sql, *values)]


def insert(row: Model, unless: str) -> bool:
    """Insert a new row and set its id, unless there is one with the same `unless`: columns of a unique constraint.

    Returns whether it was inserted. Of a model without arrays.
    """
    sql, fields = _insertion(type(row), unless)
    values = (field.get_db_prep_save(field.pre_save(row, add=True), connection) for field in fields)
    for (row.pk,) in fetch(sql, *values):
        row._state.adding, row._state.db = False, connection.alias
        return True
    return False


@cache
def _insertion(model: type[Model], unless: str) -> tuple[str, list[Field[Any, Any]]]:
    """The statement, and the fields of its values."""
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    names = ", ".join(str(field.column) for field in fields)
    places = ", ".join(f"${number + 1}" for number in range(len(fields)))
    table = model._meta.db_table
    values = f"INSERT INTO {table} ({names}) VALUES ({places})"  # noqa: S608 (names of our own)
    return f"{values} ON CONFLICT ({unless}) DO NOTHING RETURNING id", fields


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
