"""The first page's figures: today against the same weekday a week ago, fees, conversion, thirty days; nothing of others."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from django.test import Client
from pytest_django import DjangoAssertNumQueries

from payments.models import Charge, Company, ReceivedPix
from payments.selectors import overview
from payments.services.charges import receiving
from payments.web import chart
from tests.payments import making
from tests.payments.web.test_charges import text

NOON = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)  # in São Paulo


def paid(company: Company, value: int, at: datetime, outcome: str = "SETTLED") -> None:
    """A charge, and its Pix, of that time."""
    charge = making.charge(company, value, created_at=at, status="COMPLETED", paid_at=at)
    ReceivedPix.objects.create(
        company=company,
        charge=charge,
        end_to_end_id=making.end_to_end_id(),
        value=value,
        fee=charge.fee,
        outcome=outcome,
        paid_at=at,
        created_at=at,
    )


def test_a_day_is_compared_with_the_same_weekday_until_the_same_time(company: Company) -> None:
    week = timedelta(days=7)
    paid(company, 10_000, NOON - timedelta(hours=2))
    paid(company, 2_500, NOON - timedelta(hours=12))  # midnight: of today
    paid(company, 1_000, NOON - timedelta(hours=12, minutes=1))  # of yesterday
    paid(company, 5_000, NOON - week)
    paid(company, 70_000, NOON - week + timedelta(minutes=1))  # later that day
    paid(company, 90_000, NOON - timedelta(days=31))
    paid(company, 40_000, NOON, "LATE")  # goes back
    making.charge(company, created_at=NOON - timedelta(minutes=5))
    paid(making.company(), 777_777, NOON)

    day = overview.read(company, NOON)

    assert (day.received, day.received_before, day.change) == (12_500, 5_000, 150)
    assert day.fees == 80 + 50
    assert (day.created, day.paid, day.conversion) == (4, 3, 75)
    assert {hour: value for hour, value in enumerate(day.hours) if value} == {0: 2_500, 10: 10_000}
    assert len(day.days) == 30
    assert {at: value for at, value in day.days if value} == {
        date(2026, 3, 3): 75_000,
        date(2026, 3, 9): 1_000,
        date(2026, 3, 10): 12_500,
    }


def test_a_company_of_which_there_is_nothing(company: Company) -> None:
    day = overview.read(company, NOON)
    assert (day.received, day.change, day.conversion, day.blocked) == (0, None, 0, 0)
    assert chart.draw([("1h", 0), ("2h", 0)]).bars[0].height == 0


def test_bars_are_as_tall_as_their_values_and_the_least_can_be_seen() -> None:
    drawn = chart.draw([("a", 1), ("b", 100_000), ("c", 50_000), ("d", 0)])
    assert [bar.height for bar in drawn.bars] == [2, 100, 50, 0]
    assert all(bar.y + bar.height == drawn.height for bar in drawn.bars)
    assert (drawn.total, drawn.ends) == (150_001, ("a", "c", "d"))


def test_money_that_goes_back_is_blocked_until_then(company: Company) -> None:
    Charge.objects.filter(pk=(late := making.charge(company)).pk).update(status="EXPIRED")
    late.refresh_from_db()
    receiving.receive(making.pix(late))
    assert overview.read(company).blocked == 1_000


def test_the_page_says_it_and_asks_as_often_whatever_there_is(
    merchant: Client, company: Company, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(10):
        merchant.get("/")
    for _ in range(20):
        receiving.receive(making.pix(making.charge(company, 10_000)))
    rival = making.company()
    receiving.receive(making.pix(making.charge(rival, 7_777_777)))
    with django_assert_max_num_queries(10):
        merchant.get("/")
    page = text(merchant, "/")
    assert "R$ 2.000,00" in page.split('id="received-value"')[1].split("</dd>")[0]
    assert "R$ 16,00" in page.split('id="fees-value"')[1].split("</dd>")[0]
    assert page.count("<rect") == 2, "an hour and a day"
    assert "77.777,77" not in page
