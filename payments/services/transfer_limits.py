"""How much a company may send: in one payment, and in each period of the day (day from 06:00, night from 20:00).

A payment counts in the period of its approval, a batch in that of its approval or retry, and no longer once it has
failed. Callers are in the transaction that holds or releases the money, and call before the ledger: whoever needs a
period's row and a ledger account takes them in this order.

Source: Resolução BCB 142/2021 (R$ 1.000 a night for natural persons; a company's limits are between it and its bank).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import F, QuerySet
from django.db.models.functions import Greatest

from payments.models import Company, Payment, PayoutRow, TransferPeriod
from payments.models.transfer_period import DAY_STARTS, NIGHT_STARTS
from payments.services.errors import Invalid

BRAZIL = ZoneInfo("America/Sao_Paulo")
NIGHT_OF_A_PERSON = 1_000_00  # centavos
ONE, DAY, NIGHT = "payment_limit", "day_limit", "night_limit"
LIMITS = (ONE, DAY, NIGHT)  # a company's fields: centavos, None for no limit


class LimitReached(Invalid):
    """The company has a limit that this would exceed."""

    code = "REACH_TRANSFER_LIMIT"


def defaults(tax_id: str) -> dict[str, int | None]:
    """The limits of a new company: a night's where it is a natural person (CPF)."""
    return {NIGHT: NIGHT_OF_A_PERSON if len(tax_id) == 11 else None}


def period(at: datetime) -> tuple[datetime, str]:
    """When the period of a moment began, and the field of its limit."""
    local = at.astimezone(BRAZIL)
    if DAY_STARTS <= local.time() < NIGHT_STARTS:
        return datetime.combine(local, DAY_STARTS, BRAZIL), DAY
    evening = local if local.time() >= NIGHT_STARTS else local - timedelta(days=1)
    return datetime.combine(evening, NIGHT_STARTS, BRAZIL), NIGHT


def take(company_id: int, value: int, at: datetime) -> None:
    """Count `value` centavos in the period of `at`. Raises LimitReached where less than that is left."""
    began, field = period(at)
    most = Company.objects.values_list(field, flat=True).get(pk=company_id)
    TransferPeriod.objects.get_or_create(company_id=company_id, starts_at=began)
    row = TransferPeriod.objects.filter(company_id=company_id, starts_at=began)
    # One statement decides and counts, so that of payments at once none passes on what another has used.
    if not (row if most is None else row.filter(used__lte=most - value)).update(used=F("used") + value):
        left = max(most - row.get().used, 0)
        raise LimitReached(f"value is more than is left of the limit at this time of day, {left} centavos", "value")


def count(company_id: int, value: int, at: datetime) -> None:
    """Count `value` centavos (negative: less) in the period of `at`, whatever its limit: of what has ended otherwise.

    Never below 0: a failure may be of a payment that a process of a version without limits has approved, uncounted.
    """
    row = TransferPeriod.objects.filter(company_id=company_id, starts_at=period(at)[0])
    row.update(used=Greatest(F("used") + value, 0))


def used(company_id: int, at: datetime) -> int:
    """Centavos that the company has sent in the period of `at`."""
    row = TransferPeriod.objects.filter(company_id=company_id, starts_at=period(at)[0])
    return row.values_list("used", flat=True).first() or 0


def check_one(company_id: int, value: int) -> None:
    """Raise LimitReached where one payment may not be of `value` centavos."""
    most = of_one_payment(company_id)
    if most is not None and value > most:
        raise LimitReached(f"value is more than the limit of one payment, {most} centavos", "value")


def check_rows(company_id: int, rows: QuerySet[PayoutRow] | QuerySet[Payment]) -> None:
    """Raise LimitReached, naming the line, where a row of a batch is of more than one payment may be."""
    most = of_one_payment(company_id)
    above = None if most is None else rows.filter(value__gt=most).order_by("line").first()
    if above:
        raise LimitReached(f"The value of line {above.line} is more than the limit of one payment, {most} centavos")


def of_one_payment(company_id: int) -> int | None:
    """The most that one payment may be of, in centavos, or None."""
    most: int | None = Company.objects.values_list(ONE, flat=True).get(pk=company_id)
    return most
