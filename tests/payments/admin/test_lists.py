"""Lists of money: a period, totals, a file; and what operators do for a merchant from them."""

from __future__ import annotations

import csv
import html
import io
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from payments.models import Charge, Company, Entry, Payment, Proposal, ReceivedPix, Refund, User, WebhookDelivery
from payments.services import adjustments
from payments.services.charges import ChargeRequest, create
from tests.bank_process import BankProcess
from tests.payments import making
from tests.payments.admin.second import approve_all
from tests.payments.admin.test_admin import operator, rows, url, world

__all__ = ["operator"]


def at(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=timezone.get_default_timezone())


@pytest.fixture
def days(db: None) -> Company:
    """Charges of R$ 1, 2, 3 and 4 on the first days of March; one a second before midnight, one at it."""
    shop = making.company()
    for value, when in ((100, at(1)), (200, at(3, 0) - timedelta(seconds=1)), (300, at(3, 0)), (400, at(4))):
        making.charge(shop, value, created_at=when, correlation_id=f"=order-{value}")
    return shop


def listed(client: Client, **query: str) -> list[int]:
    return sorted(row.value for row in rows(client.get(url(Charge, "changelist"), query)))


def test_a_period_has_whole_days_and_the_total_of_what_is_listed(operator: Client, days: Company) -> None:
    assert listed(operator) == [100, 200, 300, 400]
    assert listed(operator, created_at_from="2026-03-02", created_at_to="2026-03-02") == [200]
    assert listed(operator, created_at_from="2026-03-03") == [300, 400]
    assert listed(operator, created_at_to="2026-03-03", status__exact="ACTIVE") == [100, 200, 300]
    page = operator.get(url(Charge, "changelist"), {"created_at_from": "2026-03-02", "status__exact": "ACTIVE"})
    text = html.unescape(page.content.decode()).replace("\u00a0", " ")
    assert "Total: R$ 9,00</strong> (3)" in text
    assert 'type="hidden" name="status__exact" value="ACTIVE"' in text
    assert 'name="created_at_from" value="2026-03-02"' in text
    assert "Total:" not in operator.get(url(Charge, "changelist")).content.decode(), "of everything it would cost"
    assert "(4)" in operator.get(url(Charge, "changelist"), {"q": days.tax_id}).content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("model", [Charge, ReceivedPix, Refund, Payment, WebhookDelivery])
@pytest.mark.parametrize("day", ["2026-03-02", "nonsense", "9999-12-31", ""])
def test_each_list_has_a_period_and_odd_days_do_no_harm(operator: Client, model: Any, day: str) -> None:
    world(making.company())
    field = {ReceivedPix: "paid_at", Charge: "created_at", WebhookDelivery: "created_at"}.get(model, "resolved_at")
    assert operator.get(url(model, "changelist"), {f"{field}_from": day, f"{field}_to": day}).status_code in {200, 302}


def test_a_list_is_exported_and_the_log_says_by_whom(operator: Client, days: Company) -> None:
    picked = list(Charge.objects.filter(value__lt=300).values_list("pk", flat=True))
    form = {"action": "export", "_selected_action": picked}
    answer = operator.post(url(Charge, "changelist"), form)
    assert answer["Content-Type"].startswith("text/csv")
    table = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert {(row["worth"], row["correlation_id"], row["company"]) for row in table} == {
        ("1.00", "'=order-100", days.trade_name),
        ("2.00", "'=order-200", days.trade_name),
    }
    assert {datetime.fromisoformat(row["created_at"]) for row in table} == {at(1), at(3, 0) - timedelta(seconds=1)}
    assert LogEntry.objects.get().get_change_message().startswith("Exported 2 rows")
    clerk = User.objects.create_user("clerk@example.com", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_charge"))
    reader = Client()
    reader.force_login(clerk)
    assert "csv" not in reader.post(url(Charge, "changelist"), form)["Content-Type"]


@pytest.mark.parametrize("model", [ReceivedPix, Refund, Payment])
def test_every_list_of_money_is_exported(operator: Client, model: Any) -> None:
    row = world(making.company())[model]
    answer = operator.post(url(model, "changelist"), {"action": "export", "_selected_action": [row.pk]})
    assert len(list(csv.DictReader(io.StringIO(answer.content.decode())))) == 1
    assert "<" not in answer.content.decode()


@pytest.mark.django_db
def test_the_statement_of_an_account_has_a_period_a_sum_and_a_file_with_balances(operator: Client) -> None:
    shop, other = making.company(), making.company()
    for owner, value in ((shop, 500), (shop, -200), (other, 700)):
        adjustments.adjust(owner.accounts.get(kind="MERCHANT"), value, f"{owner.pk}/{value}")
    mine = Entry.objects.filter(account__company=shop, account__kind="MERCHANT")
    today = timezone.localdate().isoformat()
    where = {"account__id__exact": str(mine[0].account_id), "transaction__created_at_from": today}
    page = operator.get(url(Entry, "changelist"), where)
    assert "Total: R$ 3,00</strong> (2)" in html.unescape(page.content.decode()).replace("\u00a0", " ")
    where["transaction__created_at_from"] = "2999-01-01"
    assert rows(operator.get(url(Entry, "changelist"), where)) == []
    form = {"action": "export", "_selected_action": list(mine.values_list("pk", flat=True))}
    table = list(csv.DictReader(io.StringIO(operator.post(url(Entry, "changelist"), form).content.decode())))
    assert [(row["moved"], row["running_balance"]) for row in table] == [("-2.00", "3.00"), ("5.00", "5.00")]
    form["_selected_action"] = list(Entry.objects.values_list("pk", flat=True))
    table = list(csv.DictReader(io.StringIO(operator.post(url(Entry, "changelist"), form).content.decode())))
    assert {row["running_balance"] for row in table} == {""}, "of several accounts there is no balance"


def test_money_of_a_charge_goes_back_for_its_merchant_once_two_operators_want_it(operator: Client) -> None:
    one = world(making.company())
    charge, before = one[Charge], Refund.objects.count()
    form = {"action": "refund", "_selected_action": [charge.pk], "answered": "1", "reason": "the merchant asked"}
    question = {"action": "refund", "_selected_action": [charge.pk]}
    assert 'name="value"' in operator.post(url(Charge, "changelist"), question).content.decode()
    for wrong in ("12.34", "x", "-1"):
        operator.post(url(Charge, "changelist"), {**form, "value": wrong})
    for value in ("0", "1.000.000,00"):
        said = html.unescape(
            operator.post(url(Charge, "changelist"), {**form, "value": value}, follow=True).content.decode()
        )
        assert "Of this charge only" in said, "at once, and not when another operator approves"
    assert not Proposal.objects.filter(act="refund").exists()
    operator.post(url(Charge, "changelist"), {**form, "value": "12,34"})
    proposal = Proposal.objects.get(act="refund")
    assert (proposal.after, proposal.before, Refund.objects.count()) == (
        {"value": 1_234},
        {"left": charge.value - 1_000},
        before,
    )
    Proposal.objects.exclude(pk=proposal.pk).update(status="WITHDRAWN")
    approve_all()
    proposal.refresh_from_db()
    made = Refund.objects.get(correlation_id=f"operator-{proposal.public_id}")
    assert (proposal.status, made.value, made.company, made.automatic) == ("DONE", 1_234, charge.company, False)


def test_all_that_is_left_and_nothing_of_what_is_not_paid(operator: Client) -> None:
    one = world(making.company())
    unpaid = making.charge(one[Company])
    form = {"action": "refund", "answered": "1", "reason": "x", "value": ""}
    page = operator.post(
        url(Charge, "changelist"), {**form, "_selected_action": [unpaid.pk, one[Charge].pk]}, follow=True
    )
    assert "This charge is not paid." in page.content.decode()
    assert Proposal.objects.get(act="refund").after == {"value": one[Charge].value - 1_000}, "of which a part went back"


@pytest.mark.django_db(transaction=True)
def test_a_pix_is_read_again_and_one_that_is_not_here_is_found_by_its_id(operator: Client, bank: BankProcess) -> None:
    charge = create(making.company(), ChargeRequest("a", 1000))
    lost = bank.pay(charge.txid, callback="lost")["endToEndId"]
    page = operator.get("/admin/search/", {"q": lost}).content.decode()
    assert "Read this Pix at the bank" in page
    answer = operator.post("/admin/search/", {"q": lost})
    pix = ReceivedPix.objects.get(end_to_end_id=lost)
    assert answer["Location"] == url(ReceivedPix, "change", pix.pk)
    charge.refresh_from_db()
    assert charge.status == "COMPLETED"
    operator.post(url(ReceivedPix, "changelist"), {"action": "read_again", "_selected_action": [pix.pk]})
    assert "Read again at the bank." in [entry.get_change_message() for entry in LogEntry.objects.all()]
    assert ReceivedPix.objects.count() == 1
    unknown = making.end_to_end_id()
    assert "The bank has no such Pix" in operator.post("/admin/search/", {"q": unknown}).content.decode()
    clerk = User.objects.create_user("clerk@example.com", is_staff=True)
    reader = Client()
    reader.force_login(clerk)
    other = bank.pay(create(making.company(), ChargeRequest("b", 900)).txid, callback="lost")["endToEndId"]
    assert "Read this Pix" not in reader.post("/admin/search/", {"q": other}).content.decode()
    assert ReceivedPix.objects.count() == 1
