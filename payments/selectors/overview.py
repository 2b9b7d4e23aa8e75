"""How a company's day goes: what came in, its fees, how many charges were paid; and what came in on each of thirty days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDate, TruncHour
from django.utils import timezone

from payments.models import Account, Charge, Company, ReceivedPix
from woovi.cache import ReadThroughCache

DAYS, HOURS, HOUR = 30, 24, 3600
CREDITED = Q(outcome__in=(ReceivedPix.Outcome.SETTLED, ReceivedPix.Outcome.LOOSE))


@dataclass(frozen=True)
class Overview:
    """Centavos and counts of one company, days by the time of São Paulo. A Pix counts when it was booked."""

    received: int  # today
    received_before: int  # on the same weekday a week ago, until the same time of day
    fees: int  # of what was received today
    created: int  # charges of today
    paid: int  # of them
    blocked: int  # received, and on its way back to its payers
    hours: list[int]  # received in each hour of today
    days: list[tuple[date, int]]  # received on each of the last thirty days, today last

    @property
    def conversion(self) -> int:
        """Percent of today's charges that are paid."""
        return round(100 * self.paid / self.created) if self.created else 0

    @property
    def change(self) -> int | None:
        """Percent more than a week ago; None where there was nothing then."""
        before = self.received_before
        return round(100 * (self.received - before) / before) if before else None


def read(company: Company, now: datetime | None = None) -> Overview:
    """The company's day. Three queries, and a fourth where the days that are over are not in the cache."""
    now = timezone.localtime(now)
    today, week = now.replace(hour=0, minute=0, second=0, microsecond=0), timedelta(days=7)
    both = Q(created_at__gte=today, created_at__lte=now) | Q(created_at__gte=today - week, created_at__lte=now - week)
    mine = ReceivedPix.objects.filter(CREDITED & both, company=company)
    grouped = mine.annotate(hour=TruncHour("created_at")).values("hour").annotate(value=Sum("value"), fee=Sum("fee"))
    rows = list(grouped.values_list("hour", "value", "fee"))
    hours = [0] * HOURS
    for hour, value, _ in rows:
        if hour >= today:
            hours[hour.hour] = value
    made = Charge.objects.filter(company=company, registered_at__isnull=False, created_at__gte=today)
    counts = made.aggregate(created=Count("id"), paid=Count("id", filter=Q(status=Charge.Status.COMPLETED)))
    suspense = Account.objects.filter(company=company, kind=Account.Kind.SUSPENSE).values_list("posted", flat=True)
    return Overview(
        received=sum(hours),
        received_before=sum(value for hour, value, _ in rows if hour < today),
        fees=sum(fee for hour, _, fee in rows if hour >= today),
        created=counts["created"],
        paid=counts["paid"],
        blocked=suspense.first() or 0,
        hours=hours,
        days=[*_past(company, today.date()), (today.date(), sum(hours))],
    )


def _past(company: Company, today: date) -> list[tuple[date, int]]:
    found = _days.get(tenant=company.pk, today=today.isoformat())
    return [(day := today - timedelta(days=ago), found.get(day.isoformat(), 0)) for ago in range(DAYS - 1, 0, -1)]


def _load_days(tenant: int, today: str) -> dict[str, int]:
    """Centavos by day, of the days before `today` on which anything came in."""
    end = timezone.make_aware(datetime.combine(date.fromisoformat(today), time.min))
    start = end - timedelta(days=DAYS - 1)
    mine = ReceivedPix.objects.filter(CREDITED, company=tenant, created_at__gte=start, created_at__lt=end)
    days = mine.annotate(day=TruncDate("created_at")).values("day").annotate(value=Sum("value"))
    return {day.isoformat(): value for day, value in days.values_list("day", "value")}


# A month's rows may be a million, and the page is read again with every event. Days that are over change no more, but for
# what commits just after midnight: hence an hour.
_days = ReadThroughCache(
    "overview.days", _load_days, key=("tenant", "today"), ttl=HOUR, stale_if_error=HOUR, lease=15, early_refresh=0,
    staleness="days that are over, as they were up to an hour ago; today is read from the database",
)  # fmt: skip
