"""What a company may send in one payment, by day and by night: never more, however many approve at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from payments import checks
from payments.bank.port import BankSent, SendStatus
from payments.models import Company, Payment, TransferPeriod
from payments.services import companies, payments, transfer_limits
from payments.services.errors import ServiceError
from payments.services.payments import PaymentOrder, outcomes
from payments.services.transfer_limits import LimitReached
from tests.payments import making
from tests.payments.payments.conftest import money

DAY, NIGHT = datetime.fromisoformat("2026-03-02T14:00-03:00"), datetime.fromisoformat("2026-03-02T21:00-03:00")


def limit(company: Company, **most: int | None) -> None:
    """Set limits; those that are not named are none."""
    Company.objects.filter(pk=company.pk).update(**{**dict.fromkeys(transfer_limits.LIMITS), **most})


def create(company: Company, correlation_id: str, value: int) -> None:
    payments.create(company, PaymentOrder(correlation_id, value, pix_key="ana@exemplo.com"))


def approve(company: Company, correlation_id: str, value: int, now: datetime = DAY) -> Payment:
    create(company, correlation_id, value)
    return payments.approve(company, correlation_id, now)


@pytest.mark.parametrize(
    ("at", "began", "field"),
    [
        ("2026-03-02T06:00-03:00", "2026-03-02T06:00-03:00", "day_limit"),
        ("2026-03-02T19:59:59-03:00", "2026-03-02T06:00-03:00", "day_limit"),
        ("2026-03-02T20:00-03:00", "2026-03-02T20:00-03:00", "night_limit"),
        ("2026-03-03T02:00Z", "2026-03-02T20:00-03:00", "night_limit"),
        ("2026-03-03T00:30-03:00", "2026-03-02T20:00-03:00", "night_limit"),
        ("2026-03-03T08:59:59Z", "2026-03-02T20:00-03:00", "night_limit"),
    ],
)
def test_when_a_period_begins(at: str, began: str, field: str) -> None:
    assert transfer_limits.period(datetime.fromisoformat(at)) == (datetime.fromisoformat(began), field)


def test_a_person_has_a_limit_by_night_and_a_company_none(db: None) -> None:
    person = companies.onboard(official_name="Ana", trade_name="Ana", tax_id=making.ANA, pix_key=making.ANA)
    company = making.company()
    found = [[getattr(each, name) for name in transfer_limits.LIMITS] for each in (person, company)]
    assert found == [[None, None, 100_000], [None, None, None]]


def test_one_payment_above_its_limit_stays_created(shop: Company) -> None:
    limit(shop, payment_limit=400)
    with pytest.raises(LimitReached, match="limit of one payment, 400 centavos") as refusal:
        approve(shop, "a", 401)
    assert (refusal.value.field, refusal.value.code) == ("value", "REACH_TRANSFER_LIMIT")
    assert (Payment.objects.get().status, money(shop)) == ("CREATED", (9_920, 0))
    assert approve(shop, "b", 400).status == "APPROVED"
    limit(shop)
    assert payments.approve(shop, "a").status == "APPROVED"


def test_a_periods_limit_is_of_all_its_payments_and_ends_with_it(shop: Company) -> None:
    limit(shop, day_limit=1_000, night_limit=100)
    approve(shop, "a", 600)
    with pytest.raises(LimitReached, match="time of day, 400 centavos"):
        approve(shop, "b", 401)
    approve(shop, "c", 400)
    approve(shop, "d", 100, NIGHT)
    for now, left in ((DAY, 0), (NIGHT, 0)):
        with pytest.raises(LimitReached, match=f"time of day, {left} centavos"):
            payments.approve(shop, "b", now)
    assert money(shop) == (9_920, 1_100)


def test_what_has_failed_counts_no_longer_in_the_period_of_its_approval(shop: Company) -> None:
    limit(shop, day_limit=1_000)
    payment = approve(shop, "a", 1_000)
    refused = BankSent(payment.public_id, "", 1_000, SendStatus.REFUSED, "AC06 - no")
    outcomes.book(payment, refused, NIGHT)
    assert approve(shop, "b", 1_000).status == "APPROVED"


def _approved_at_once(shop: Company) -> int:
    for number in range(8):
        create(shop, str(number), 300)

    def one(number: int) -> bool:
        try:
            payments.approve(shop, str(number), DAY)
        except ServiceError:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(8) as pool:
        return sum(pool.map(one, range(8)))


def test_payments_at_once_never_exceed_the_limit(shop: Company) -> None:
    limit(shop, day_limit=1_000)
    assert _approved_at_once(shop) == 3
    assert (TransferPeriod.objects.get().used, money(shop)) == (900, (9_920, 900))


def test_control_if_it_looked_first_and_counted_later_they_would(
    shop: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_looked = threading.Barrier(8, timeout=20)

    def look_and_count(company_id: int, value: int, at: datetime) -> None:
        used = sum(TransferPeriod.objects.values_list("used", flat=True))
        all_looked.wait()
        if used + value > 1_000:
            raise LimitReached("too late")
        transfer_limits.count(company_id, value, at)

    TransferPeriod.objects.create(company=shop, starts_at=transfer_limits.period(DAY)[0])
    monkeypatch.setattr(transfer_limits, "take", look_and_count)
    assert _approved_at_once(shop) == 8


def test_a_limit_counts_from_the_beginning_of_the_period_in_which_it_is_set(shop: Company) -> None:
    approve(shop, "a", 600)
    limit(shop, day_limit=1_000)
    with pytest.raises(LimitReached, match="400 centavos"):
        approve(shop, "b", 500)


def test_a_period_that_counts_wrongly_is_seen(shop: Company, approved: Callable[..., Payment]) -> None:
    def differing() -> list[str]:
        return [finding.name for finding in checks.run() if finding.count]

    approved("a", 300)
    payment = approved("b", 200)
    outcomes.book(payment, BankSent(payment.public_id, "", 200, SendStatus.REFUSED), timezone.now())
    assert (TransferPeriod.objects.get().used, differing()) == (300, [])
    for wrong in (301, 299):
        TransferPeriod.objects.update(used=wrong)
        assert differing() == ["a period of the day counts what was approved in it and has not failed"]


def test_what_former_processes_approved_uncounted_is_no_alarm(shop: Company, approved: Callable[..., Payment]) -> None:
    """They know no limits, and run for a while beside the new ones after the migration that counts what there is."""

    def differs() -> bool:
        return any(finding.count for finding in checks.run())

    former, payment = approved("a", 300), approved("b", 200)
    TransferPeriod.objects.update(used=200)
    assert differs(), "strict for a company that the former processes have not known"
    Company.objects.update(created_at=timezone.now() - timedelta(days=9))
    assert not differs()
    TransferPeriod.objects.update(used=501)
    assert differs(), "they count nothing, so never too much"
    TransferPeriod.objects.update(used=200)
    outcomes.book(former, BankSent(former.public_id, "", 300, SendStatus.REFUSED), timezone.now())
    assert (TransferPeriod.objects.get().used, differs()) == (0, False), "never below 0"
    counted = MigrationRecorder.Migration.objects.filter(app="payments", name__endswith="_transfer_periods")
    assert counted.update(applied=TransferPeriod.objects.get().starts_at - timedelta(hours=2)) == 1
    assert differs(), "strict from the next period on"
    outcomes.book(payment, BankSent(payment.public_id, "", 200, SendStatus.REFUSED), timezone.now())
    assert (TransferPeriod.objects.get().used, differs()) == (0, False)
