"""Postings and their parts, and the errors with which the ledger refuses them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from payments.services.errors import ServiceError


class LedgerError(ServiceError):
    """The posting is refused; the whole call changed nothing."""


class InsufficientFunds(LedgerError):
    """The posting would overdraw an account that may not go negative."""


class IdempotencyConflict(LedgerError):
    """The company used this kind and correlation_id before, for another instruction."""


class UnknownAccount(LedgerError):
    """The company has no such account."""


class Unbalanced(LedgerError):
    """The amounts of a posting do not sum to zero."""


class HoldResolved(LedgerError):
    """The hold was posted or voided before, or the posting does not release exactly what it reserved."""


@dataclass(frozen=True, slots=True)
class Line:
    """A change of one account, in centavos: `amount` changes its balance, `pending` what it reserves."""

    account_id: int
    amount: int = 0
    pending: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """An event for the outbox, written in the same transaction as its posting."""

    topic: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Posting:
    """One instruction. (company_id, kind, correlation_id) is its idempotency key.

    `correlation_id` is whatever the caller knows the movement by, an end-to-end id or a return id, say. `resolves` is
    the id of the hold that it posts or voids.
    """

    company_id: int
    kind: str
    correlation_id: str
    lines: tuple[Line, ...]
    resolves: int | None = None
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Posted:
    """The answer to a posting. `replayed`: the instruction was posted before, and nothing was written now."""

    transaction_id: int
    replayed: bool
