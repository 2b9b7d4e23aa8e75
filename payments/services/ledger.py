"""Double entry, one way in: `post`. The rules are the database's own (docs/ledger.md); this packs and unpacks.

ids = ledger.accounts(company.pk)
ledger.post(Posting(company.pk, "charge", charge.correlation_id, (
    Line(ids["CLEARING"], -1000), Line(ids["MERCHANT"], 950), Line(ids["FEES"], 50),
), events=(Event("OPENPIX:CHARGE_COMPLETED", body),)))
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from weakref import WeakSet

import psycopg
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from psycopg import pq
from psycopg.pq.abc import PGresult

from payments.models import Account, Entry
from payments.services.errors import ServiceError

LARGEST = 2**63 - 1  # centavos in one line, either way
MOST_LINES = 2**15 - 1  # in one posting


class LedgerError(ServiceError):
    """The posting is refused. Nothing of the call was done."""


class InsufficientFunds(LedgerError):
    """An account that may not go negative would."""


class IdempotencyConflict(LedgerError):
    """The company used this kind and correlation_id before, for another instruction."""


class UnknownAccount(LedgerError):
    """The company has no such account."""


class Unbalanced(LedgerError):
    """The amounts of a posting do not sum to zero."""


class HoldResolved(LedgerError):
    """The hold was posted or voided before, or this is not exactly what it reserved."""


@dataclass(frozen=True, slots=True)
class Line:
    """Centavos that move on one account: `amount` of its balance, `pending` of what it reserves."""

    account_id: int
    amount: int = 0
    pending: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """A row for the outbox, written with the posting and never without it."""

    topic: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Posting:
    """One instruction. (company_id, kind, correlation_id) is its idempotency key; `resolves` names a hold."""

    company_id: int
    kind: str
    correlation_id: str
    lines: tuple[Line, ...]
    resolves: int | None = None
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Posted:
    transaction_id: int
    replayed: bool  # True: it was there before, and nothing was written


def post(*postings: Posting) -> list[Posted]:
    """Post instructions, all or nothing, in one round trip. Returns one answer each, in order.

    The same instruction again gives its first answer. Balances are judged after the whole call, not between its
    postings. In a transaction of the caller's, a refusal by the database aborts it, as any database error does: to go
    on after one, wrap the call in `transaction.atomic()`. Two calls in one transaction lock accounts in two steps and
    may deadlock with others: post together what belongs together.

    Raises:
        InsufficientFunds, IdempotencyConflict, UnknownAccount, Unbalanced, HoldResolved: as they say.
        LedgerError: a value that no ledger can hold; refused before the database is asked.
    """
    if not postings:
        return []
    return _call(_packed(postings))


@lru_cache(maxsize=100_000)
def accounts(company_id: int) -> Mapping[Account.Kind, int]:
    """Ids of the company's default accounts, by kind. They never change, so a process reads them once.

    Raises:
        UnknownAccount: the company has none.
    """
    rows = Account.objects.filter(company_id=company_id, is_default=True).values_list("kind", "id")
    found = {Account.Kind(kind): pk for kind, pk in rows}
    if not found:
        raise UnknownAccount(f"company {company_id} has no accounts")
    return MappingProxyType(found)


def hold(
    company_id: int, correlation_id: str, kind: str, account_id: int, value: int, events: tuple[Event, ...] = ()
) -> Posting:
    """A posting that reserves `value` centavos of an account until `post_hold` or `void_hold`."""
    return Posting(company_id, kind, correlation_id, (Line(account_id, pending=_positive(value)),), events=events)


def post_hold(
    hold_id: int, correlation_id: str, kind: str, value: int, to_account_id: int, events: tuple[Event, ...] = ()
) -> Posting:
    """A posting that moves `value` centavos of a hold to an account and releases the rest."""
    company_id, account_id, reserved = _held(hold_id)
    if _positive(value) > reserved:
        raise HoldResolved(f"hold {hold_id} reserves {reserved} centavos, not {value}", "value")
    lines = (Line(account_id, -value, -reserved), Line(to_account_id, value))
    return Posting(company_id, kind, correlation_id, lines, hold_id, events)


def void_hold(hold_id: int, correlation_id: str, kind: str, events: tuple[Event, ...] = ()) -> Posting:
    """A posting that releases all of a hold."""
    company_id, account_id, reserved = _held(hold_id)
    return Posting(company_id, kind, correlation_id, (Line(account_id, pending=-reserved),), hold_id, events)


def _held(hold_id: int) -> tuple[int, int, int]:
    """Company, account and centavos of a hold that `hold` made."""
    entry = Entry.objects.filter(transaction_id=hold_id, pending__gt=0).values_list(
        "transaction__company_id", "account_id", "pending"
    )
    try:
        return entry.get()
    except Entry.DoesNotExist:
        raise LedgerError(f"transaction {hold_id} is no hold") from None


def _positive(value: int) -> int:
    if type(value) is not int or value <= 0:
        raise LedgerError(f"value must be a positive whole number of centavos, not {value!r}", "value")
    return value


# ── to and from SQL ──────────────────────────────────────────────────────────────────────────────────────────────

_POST = b"""SELECT ids, replayed FROM ledger_post($1::bigint[], $2::text[], $3::text[], $4::bytea[], $5::bigint[],
    $6::int[], $7::smallint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::int[], $12::text[], $13::jsonb[])"""
_prepared: WeakSet[psycopg.Connection[Any]] = WeakSet()


def _call(arguments: tuple[str, ...]) -> list[Posted]:
    """Run the function as a prepared statement on Django's own connection, through psycopg's wrapper of libpq.

    A cursor costs the client twice the processor time; under load that is a quarter of all (docs/decisions).
    """
    database = connections[DEFAULT_DB_ALIAS]  # once: each look through `django.db.connection` costs microseconds
    database.ensure_connection()
    database.validate_no_broken_transaction()
    session: psycopg.Connection[Any] = database.connection
    try:
        with database.wrap_database_errors:
            if not session.autocommit and session.pgconn.transaction_status == pq.TransactionStatus.IDLE:
                session.execute("SELECT 1")  # psycopg begins the caller's transaction with its own first statement
            if session not in _prepared:
                _checked(session, session.pgconn.prepare(b"ledger_post", _POST))
                _prepared.add(session)
            arrays = [argument.encode() for argument in arguments]
            result = _checked(session, session.pgconn.exec_prepared(b"ledger_post", arrays))
    except DatabaseError as error:
        database.needs_rollback = database.in_atomic_block
        if refusal := _refusal(error.__cause__):
            raise refusal from error
        raise
    ids, replayed = result.get_value(0, 0) or b"", result.get_value(0, 1)
    transactions = [int(id_) for id_ in ids[1:-1].split(b",")]
    if replayed is None:
        return [Posted(id_, replayed=False) for id_ in transactions]
    return [Posted(id_, was == b"t") for id_, was in zip(transactions, replayed[1:-1].split(b","), strict=True)]


def _checked(session: psycopg.Connection[Any], result: PGresult) -> PGresult:
    if session.pgconn.status == pq.ConnStatus.BAD:
        raise psycopg.OperationalError("the connection to the database is lost")
    if result.status not in {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK}:
        raise psycopg.errors.error_from_result(result, session.info.encoding)
    return result


def _packed(postings: tuple[Posting, ...]) -> tuple[str, ...]:
    """The arguments of `ledger_post` as array literals: joined text is ten times as fast as the driver's lists."""
    for posting in postings:
        _check(posting)
    lines = [line for posting in postings for line in posting.lines]
    events = [event for posting in postings for event in posting.events]
    return (
        _integers([p.company_id for p in postings]),
        _texts([p.kind for p in postings]),
        _texts([p.correlation_id for p in postings]),
        _texts(["\\x" + _hash(p) for p in postings]),
        _integers(["NULL" if p.resolves is None else p.resolves for p in postings]),
        _integers([n for n, p in enumerate(postings, 1) for _ in p.lines]),
        _integers([number for p in postings for number in range(1, len(p.lines) + 1)]),
        _integers([line.account_id for line in lines]),
        _integers([line.amount for line in lines]),
        _integers([line.pending for line in lines]),
        _integers([n for n, p in enumerate(postings, 1) for _ in p.events]),
        _texts([event.topic for event in events]),
        _texts([_json(event.payload) for event in events]),
    )


def _check(posting: Posting) -> None:
    """Refuse what no ledger can hold, in words; the database would refuse it in its own."""
    _whole("company_id", posting.company_id)
    _short("kind", posting.kind, 40)
    _short("correlation_id", posting.correlation_id, 255)
    if posting.resolves is not None:
        _whole("resolves", posting.resolves)
    if not 0 < len(posting.lines) <= MOST_LINES:
        raise LedgerError(f"a posting has 1 to {MOST_LINES} lines, not {len(posting.lines)}", "lines")
    balance = 0
    for line in posting.lines:
        _whole("account_id", line.account_id)
        _whole("amount", line.amount)
        _whole("pending", line.pending)
        if not line.amount and not line.pending:
            raise LedgerError("a line must move something", "amount")
        balance += line.amount
    if balance:
        raise Unbalanced(f"the amounts of {posting.kind} {posting.correlation_id} sum to {balance}, not to zero")
    for event in posting.events:
        _short("topic", event.topic, 100)


def _whole(field: str, value: object) -> None:
    # type(), because True is an int too
    if type(value) is not int or not -LARGEST <= value <= LARGEST:
        raise LedgerError(f"{field} must be a whole number of at most 64 bits, not {value!r}", field)


def _short(field: str, value: object, most: int) -> None:
    if not isinstance(value, str) or not 0 < len(value) <= most or "\0" in value or not _is_unicode(value):
        raise LedgerError(f"{field} must be 1 to {most} characters of text, not {value!r}", field)


def _is_unicode(value: str) -> bool:
    """False for text with half a surrogate pair, which JSON can bring and UTF-8 cannot hold."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _hash(posting: Posting) -> str:
    """SHA-256 of what the instruction moves, in hex. Not of its events: they are pictures of their moment."""
    lines = sorted((line.account_id, line.amount, line.pending) for line in posting.lines)
    return hashlib.sha256(repr((posting.resolves, lines)).encode()).hexdigest()


def _integers(values: Iterable[object]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def _texts(values: list[str]) -> str:
    if not values:
        return "{}"
    # A character that no value has parts them, so that all are escaped at once.
    quoted = "\0".join(values).replace("\\", "\\\\").replace('"', '\\"').replace("\0", '","')
    return '{"' + quoted + '"}'


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _json(payload: dict[str, Any]) -> str:
    try:
        text = _ENCODER.encode(payload)
        text.encode()
    except (TypeError, ValueError) as error:
        raise LedgerError(f"an event's payload is not JSON: {error}", "events") from error
    if "\\u0000" in text.replace("\\\\", ""):
        raise LedgerError("an event's payload has a NUL character", "events")
    return text


_REFUSED_BY_STATE: dict[str, type[LedgerError]] = {
    "LG002": Unbalanced,
    "LG003": UnknownAccount,
    "LG004": HoldResolved,
    "LG005": IdempotencyConflict,
    "22003": LedgerError,  # a balance beyond 64 bits
}
_REFUSED_BY_CONSTRAINT: dict[str, type[LedgerError]] = {
    "account_not_overdrawn": InsufficientFunds,
    "account_pending_out_positive": HoldResolved,
    "payments_ledgertransaction_resolves_id_key": HoldResolved,
}


def _refusal(cause: BaseException | None) -> LedgerError | None:
    """The database's refusal in our words; None where it is another error."""
    if not isinstance(cause, psycopg.Error):
        return None
    error = _REFUSED_BY_STATE.get(cause.sqlstate or "") or _REFUSED_BY_CONSTRAINT.get(cause.diag.constraint_name or "")
    return error(cause.diag.message_primary or str(cause)) if error else None
