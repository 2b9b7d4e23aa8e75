"""The Central Bank's limits on look-ups in the DICT: token buckets of the payer and of the bank, kept in memory.

Source: DICT API 2.6, policies ENTRIES_READ_USER_ANTISCAN and ENTRIES_READ_PARTICIPANT_ANTISCAN (category E). A look-up
that finds nothing costs far more than one that finds something, which stops those who try out keys.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from bank_simulator.problems import DictProblem


@dataclass
class Bucket:
    """Tokens that come back at a steady rate."""

    size: int
    per_minute: int
    tokens: float = field(init=False)
    at: float = 0.0  # seconds, monotonic: when `tokens` was right

    def __post_init__(self) -> None:
        self.tokens = self.size

    def left(self, now: float) -> float:
        """Tokens at `now`."""
        self.tokens = min(self.size, self.tokens + (now - self.at) * self.per_minute / 60)
        self.at = now
        return self.tokens


@dataclass(frozen=True)
class Costs:
    """What a look-up takes out of the payer's and the bank's bucket."""

    payer: int
    bank: int


FOUND, NOT_FOUND = Costs(1, 1), Costs(20, 3)

_lock = threading.Lock()
_payers: dict[str, Bucket] = {}
_bank = Bucket(5_000, 2_500)


def check(payer: str) -> None:
    """Raise DictProblem (429) where the payer or the bank has no token left."""
    with _lock:
        if min(bucket.left(time.monotonic()) for bucket in (_of(payer), _bank)) < 1:
            raise DictProblem("RateLimited", 429, "Limite de consultas atingido.")


def charge(payer: str, costs: Costs) -> None:
    """Take the tokens of a look-up that was answered. A bucket does not fall below zero."""
    with _lock:
        for bucket, cost in ((_of(payer), costs.payer), (_bank, costs.bank)):
            bucket.tokens = max(bucket.left(time.monotonic()) - cost, 0)


def refill() -> None:
    """Fill all buckets."""
    with _lock:
        _payers.clear()
        _bank.tokens = _bank.size


def _of(payer: str) -> Bucket:
    """The payer's bucket: a person's is smaller than a company's."""
    return _payers.setdefault(payer, Bucket(100, 2) if len(payer) == 11 else Bucket(1_000, 20))
