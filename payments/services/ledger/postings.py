"""What is posted, and how it may be refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from payments.services.errors import ServiceError


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
