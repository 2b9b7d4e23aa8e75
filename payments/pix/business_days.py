"""Business days of Brazilian banks: not Saturday, Sunday or a national bank holiday. Days are São Paulo's."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

BRAZIL = ZoneInfo("America/Sao_Paulo")
FIXED = ((1, 1), (4, 21), (5, 1), (9, 7), (10, 12), (11, 2), (11, 15), (12, 25))
BLACK_CONSCIOUSNESS = (11, 20), 2024  # and the first year of it (Lei 14.759/2023)
# Days from Easter Sunday: Carnival's Monday and Tuesday, Good Friday, Corpus Christi. And Ash Wednesday, on which banks open
# at noon: Woovi's own calculator counts it as a holiday.
MOVABLE = (-48, -47, -46, -2, 60)


def local_day(at: datetime) -> date:
    """The day in Brazil at a moment. Of the first hours of the year 1, as empty dates are, there is none: that day itself."""
    try:
        return at.astimezone(BRAZIL).date()
    except OverflowError:
        return at.date()


def is_business_day(day: date) -> bool:
    """Whether banks work."""
    return day.weekday() < 5 and day not in holidays(day.year)


def next_business_day(day: date) -> date:
    """`day` itself, or the first business day after it."""
    while not is_business_day(day):
        day += timedelta(days=1)
    return day


def business_days_between(start: date, end: date) -> int:
    """The business days after `start`, up to and with `end`."""
    days = (start + timedelta(days=number) for number in range(1, (end - start).days + 1))
    return sum(map(is_business_day, days))


@lru_cache(maxsize=64)
def holidays(year: int) -> frozenset[date]:
    """The national bank holidays of a year. Local ones are not known here."""
    found = {date(year, *day) for day in FIXED} | {easter(year) + timedelta(days=days) for days in MOVABLE}
    day, since = BLACK_CONSCIOUSNESS
    return frozenset(found | ({date(year, *day)} if year >= since else set()))


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar. Source: Meeus/Jones/Butcher, Nature 13 (1876), 487."""
    golden, (century, rest) = year % 19, divmod(year, 100)
    leaps, over = divmod(century, 4)
    moon = (century - (century + 8) // 25 + 1) // 3
    age = (19 * golden + century - leaps - moon + 15) % 30
    weekday = (32 + 2 * over + 2 * (rest // 4) - age - rest % 4) % 7
    late = (golden + 11 * age + 22 * weekday) // 451
    month, day = divmod(age + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)
