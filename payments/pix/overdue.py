"""What a charge with a due date (cobv) is worth on each day: discounts before the due day, a fine and interest after it.

Sources: the API Pix (`CobDataDeVencimento`: a due date that is no business day moves to the next one, and what counts from it
moves along), and Woovi's published calculator, whose arithmetic this is: no discount on the due day or later, the largest of
the fixed discounts, a fine once and interest for each running day, each rounded to the centavo, half up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from payments.pix.business_days import business_days_between, next_business_day

# The modalities of discounts by the contract's names, and their numbers in the API Pix.
MODALITIES = {
    "FIXED_VALUE_UNTIL_SPECIFIED_DATE": 1,
    "PERCENTAGE_UNTIL_SPECIFIED_DATE": 2,
    "VALUE_PER_RUNNING_DAY_ADVANCE": 3,
    "VALUE_PER_BUSINESS_DAY_ADVANCE": 4,
    "PERCENTAGE_PER_RUNNING_DAY_ADVANCE": 5,
    "PERCENTAGE_PER_BUSINESS_DAY_ADVANCE": 6,
}
UNTIL_DATE, OF_PERCENT, OF_BUSINESS_DAYS = {1, 2}, {2, 5, 6}, {4, 6}


@dataclass(frozen=True)
class Part:
    """Centavos, or basis points of the charge's value."""

    amount: int
    percent: bool = False

    def of(self, value: int, times: int = 1) -> int:
        """Centavos of this part of `value` centavos, so many times, rounded half up."""
        return (self.amount * value * times + 5_000) // 10_000 if self.percent else self.amount * times


@dataclass(frozen=True)
class Discount:
    """By `modality` (of the API Pix), either `steps`, each until a day and with it, or `per_day` in advance."""

    modality: int
    steps: tuple[tuple[date, int], ...] = ()
    per_day: int = 0

    def on(self, day: date, due: date, value: int) -> int:
        """Centavos off for a payment on `day`."""
        if day >= due:
            return 0
        percent = self.modality in OF_PERCENT
        if self.modality in UNTIL_DATE:
            return max((Part(amount, percent).of(value) for until, amount in self.steps if day <= until), default=0)
        days = business_days_between(day, due) if self.modality in OF_BUSINESS_DAYS else (due - day).days
        return Part(self.per_day, percent).of(value, days)


@dataclass(frozen=True)
class Terms:
    """A charge's value in centavos, its due date, and for how many running days after that it may be paid."""

    value: int
    due: date
    valid_for: int
    fine: Part | None = None
    interest: Part | None = None  # a running day
    discount: Discount | None = None

    @property
    def due_day(self) -> date:
        """The due date, or the first business day after it. On it the charge is worth its value."""
        return next_business_day(self.due)

    @property
    def last_day(self) -> date:
        """The last day on which the charge may be paid."""
        return next_business_day(self.due_day + timedelta(days=self.valid_for))


@dataclass(frozen=True)
class Amounts:
    """Centavos of a charge on one day."""

    value: int
    discount: int
    interest: int
    fine: int

    @property
    def total(self) -> int:
        return self.value - self.discount + self.interest + self.fine


def amounts(terms: Terms, day: date) -> Amounts:
    """What the charge is worth on `day`, whether or not it may be paid then."""
    due = terms.due_day
    late = max((day - due).days, 0)
    return Amounts(
        value=terms.value,
        discount=terms.discount.on(day, due, terms.value) if terms.discount else 0,
        interest=terms.interest.of(terms.value, late) if terms.interest else 0,
        fine=terms.fine.of(terms.value) if terms.fine and late else 0,
    )
