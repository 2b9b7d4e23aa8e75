"""Double entry, one way in: `post`. The rules are the database's own (docs/ledger.md); this packs and unpacks.

ids = ledger.accounts(company.pk)
ledger.post(Posting(company.pk, "charge", charge.correlation_id, (
    Line(ids["CLEARING"], -1000), Line(ids["MERCHANT"], 950), Line(ids["FEES"], 50),
), events=(Event("OPENPIX:CHARGE_COMPLETED", body),)))
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections

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
    ids, replayed = _call(_packed(postings))
    return [Posted(*answer) for answer in zip(ids, replayed or [False] * len(ids), strict=True)]


def accounts(company_id: int) -> dict[Account.Kind, int]:
    """Ids of the company's default accounts, by kind."""
    rows = Account.objects.filter(company_id=company_id, is_default=True).values_list("kind", "id")
    return {Account.Kind(kind): pk for kind, pk in rows}


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
    lines = (Line(account_id, -_positive(value), -reserved), Line(to_account_id, value))
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

_POST = """SELECT ids, replayed FROM ledger_post(%s::bigint[], %s::text[], %s::text[], %s::bytea[], %s::bigint[],
    %s::int[], %s::smallint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::jsonb)"""


def _call(arguments: tuple[str | None, ...]) -> Any:
    """Run the function as a prepared statement on Django's own connection.

    Django's cursor writes the arguments into the SQL text, which the server then parses anew at each call.
    """
    database = connections[DEFAULT_DB_ALIAS]  # once: each look through `django.db.connection` costs microseconds
    database.ensure_connection()
    database.validate_no_broken_transaction()
    try:
        with database.wrap_database_errors, psycopg.Cursor(database.connection) as cursor:
            return cursor.execute(_POST, arguments, prepare=True).fetchone()
    except DatabaseError as error:
        database.needs_rollback = database.in_atomic_block
        if refusal := _refusal(error.__cause__):
            raise refusal from error
        raise


def _packed(postings: tuple[Posting, ...]) -> tuple[str | None, ...]:
    """The arguments of `ledger_post` as array literals: joined text is ten times as fast as the driver's lists."""
    for posting in postings:
        _check(posting)
    lines = [line for posting in postings for line in posting.lines]
    events = [[n, e.topic, e.payload] for n, posting in enumerate(postings, 1) for e in posting.events]
    try:
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
            _json(events) if events else None,
        )
    except UnicodeEncodeError as error:
        raise LedgerError(f"not valid Unicode: {error.object!r}") from error


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
    if not isinstance(value, str) or not 0 < len(value) <= most or "\0" in value:
        raise LedgerError(f"{field} must be 1 to {most} characters of text, not {value!r}", field)


def _hash(posting: Posting) -> str:
    """SHA-256 of what the instruction moves, in hex. Not of its events: they are pictures of their moment."""
    lines = sorted((line.account_id, line.amount, line.pending) for line in posting.lines)
    return hashlib.sha256(repr((posting.resolves, lines)).encode()).hexdigest()


def _integers(values: Iterable[object]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def _texts(values: Iterable[str]) -> str:
    # A character that no value has parts them, so that all are escaped at once.
    quoted = "\0".join(values).replace("\\", "\\\\").replace('"', '\\"').replace("\0", '","')
    return '{"' + quoted + '"}'


def _json(events: list[list[Any]]) -> str:
    try:
        text = json.dumps(events, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise LedgerError(f"an event's payload is not JSON: {error}", "events") from error
    text.encode()
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
    "payments_ledgertransaction_resolves_id_key": HoldResolved,
}


def _refusal(cause: BaseException | None) -> LedgerError | None:
    """The database's refusal in our words; None where it is another error."""
    if not isinstance(cause, psycopg.Error):
        return None
    error = _REFUSED_BY_STATE.get(cause.sqlstate or "") or _REFUSED_BY_CONSTRAINT.get(cause.diag.constraint_name or "")
    return error(cause.diag.message_primary or str(cause)) if error else None
