"""Business days, and what a charge with a due date is worth: against the Central Bank's examples and Woovi's calendar."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.pix.business_days import business_days_between, easter, holidays, is_business_day, next_business_day
from payments.pix.overdue import MODALITIES, Amounts, Discount, Part, Terms, amounts

FRIDAY = date(2026, 10, 9)  # before a long weekend: Monday the 12th is a holiday
DAY = timedelta(days=1)


def days(year: int, *listed: str) -> frozenset[date]:
    return frozenset(date.fromisoformat(f"{year}-{each}") for each in listed)


def test_the_holidays_are_woovis() -> None:
    assert holidays(2026) == days(
        2026, "01-01", "02-16", "02-17", "02-18", "04-03", "04-21", "05-01", "06-04", "09-07", "10-12", "11-02",
        "11-15", "11-20", "12-25",
    )  # fmt: skip
    assert holidays(2027) == days(
        2027, "01-01", "02-08", "02-09", "02-10", "03-26", "04-21", "05-01", "05-27", "09-07", "10-12", "11-02",
        "11-15", "11-20", "12-25",
    )  # fmt: skip
    assert date(2023, 11, 20) not in holidays(2023)


@pytest.mark.parametrize("day", ["2000-04-23", "2008-03-23", "2011-04-24", "2024-03-31", "2038-04-25", "2285-03-22"])
def test_easter(day: str) -> None:
    assert easter(int(day[:4])) == date.fromisoformat(day)


def test_business_days() -> None:
    assert [is_business_day(FRIDAY + DAY * n) for n in range(5)] == [True, False, False, False, True]
    assert next_business_day(FRIDAY + DAY) == date(2026, 10, 13)
    assert business_days_between(FRIDAY, date(2026, 10, 14)) == 2
    assert business_days_between(FRIDAY, FRIDAY) == business_days_between(FRIDAY, FRIDAY - DAY) == 0


@pytest.mark.parametrize(
    ("due", "valid_for", "last"),
    [
        pytest.param("2020-10-20", 4, "2020-10-26", id="A: ends on a Saturday"),
        pytest.param("2020-12-25", 0, "2020-12-28", id="B: due on a holiday"),
        pytest.param("2020-12-25", 1, "2020-12-29", id="C"),
        pytest.param("2020-12-25", 3, "2020-12-31", id="D"),
        pytest.param("2020-12-25", 4, "2021-01-04", id="E: ends on a holiday"),
        pytest.param("2021-08-27", 5, "2021-09-01", id="F"),
        pytest.param("2021-08-28", 5, "2021-09-06", id="G: due on a Saturday, ends on one"),
    ],
)
def test_the_central_banks_examples(due: str, valid_for: int, last: str) -> None:
    assert Terms(100, date.fromisoformat(due), valid_for).last_day == date.fromisoformat(last)


def worth(terms: Terms, day: date) -> tuple[int, int, int, int]:
    found = amounts(terms, day)
    return found.discount, found.interest, found.fine, found.total


def test_a_fine_once_and_interest_by_day_after_the_due_day() -> None:
    terms = Terms(10_000, date(2026, 10, 10), 5, fine=Part(200, True), interest=Part(33, True))  # due on a Saturday
    assert worth(terms, date(2026, 10, 10)) == worth(terms, date(2026, 10, 13)) == (0, 0, 0, 10_000)
    assert worth(terms, date(2026, 10, 14)) == (0, 33, 200, 10_233)
    assert worth(terms, date(2026, 10, 16)) == (0, 99, 200, 10_299)
    fixed = Terms(10_000, date(2026, 10, 14), 5, fine=Part(20), interest=Part(3))
    assert worth(fixed, date(2026, 10, 16)) == (0, 6, 20, 10_026)


@pytest.mark.parametrize(("basis_points", "days", "centavos"), [(1, 49, 0), (1, 50, 1), (1, 149, 1), (1, 150, 2)])
def test_half_a_centavo_is_rounded_up(basis_points: int, days: int, centavos: int) -> None:
    assert Part(basis_points, True).of(100, days) == centavos


def discount(name: str, per_day: int = 0, *steps: tuple[int, int]) -> Discount:
    made = date(2026, 10, 1)
    return Discount(MODALITIES[name], tuple((made + DAY * after, amount) for after, amount in steps), per_day)


@pytest.mark.parametrize(
    ("how", "off"),
    [  # on Friday 9 October, the day before the due day (Wednesday 14th), and the due day
        (discount("FIXED_VALUE_UNTIL_SPECIFIED_DATE", 0, (8, 100), (12, 50)), (100, 50, 0)),
        (
            discount("FIXED_VALUE_UNTIL_SPECIFIED_DATE", 0, (20, 70), (8, 10)),
            (70, 70, 0),
        ),  # the largest, whatever the order
        (discount("PERCENTAGE_UNTIL_SPECIFIED_DATE", 0, (8, 500), (10, 200)), (500, 0, 0)),
        (discount("VALUE_PER_RUNNING_DAY_ADVANCE", 10), (50, 10, 0)),
        (discount("VALUE_PER_BUSINESS_DAY_ADVANCE", 10), (20, 10, 0)),
        (discount("PERCENTAGE_PER_RUNNING_DAY_ADVANCE", 10), (50, 10, 0)),
        (discount("PERCENTAGE_PER_BUSINESS_DAY_ADVANCE", 10), (20, 10, 0)),
    ],
)
def test_discounts(how: Discount, off: tuple[int, int, int]) -> None:
    terms = Terms(10_000, date(2026, 10, 14), 5, discount=how)
    assert tuple(amounts(terms, day).discount for day in (FRIDAY, date(2026, 10, 13), date(2026, 10, 14))) == off


PARTS = st.builds(Part, st.integers(0, 500), st.booleans()) | st.none()


@given(st.integers(1, 10**9), st.dates(date(2024, 1, 1), date(2030, 1, 1)), PARTS, PARTS, st.integers(-20, 40))
def test_no_day_is_cheaper_than_the_day_before_once_it_is_due(
    value: int, due: date, fine: Part | None, interest: Part | None, after: int
) -> None:
    terms = Terms(value, due, 30, fine=fine, interest=interest)
    day = due + DAY * after
    assert amounts(terms, day).total <= amounts(terms, day + DAY).total
    if day <= terms.due_day:
        assert amounts(terms, day) == Amounts(value, 0, 0, 0)
    assert is_business_day(terms.due_day)
    assert is_business_day(terms.last_day)
