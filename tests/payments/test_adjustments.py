"""Operators credit and debit merchants by hand: two of them, double entry, once, on the statement, and proved by `check_ledger`."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from payments import checks
from payments.models import Account, Company, LedgerTransaction, Proposal, User
from payments.selectors import statement, transactions
from payments.services import adjustments, proposals
from payments.services.errors import Invalid
from tests.payments import making
from tests.payments.admin.second import approve_all
from tests.payments.admin.test_admin import operator
from tests.payments.admin.test_proposals import done_and_died, finance
from woovi.outbox.models import OutboxEvent

__all__ = ["finance", "operator"]
pytestmark = pytest.mark.django_db

CHECK = "an adjustment is what two operators decided, once, and the reverse"


def merchant(shop: Company) -> Account:
    return shop.accounts.get(kind="MERCHANT")


def failed() -> dict[str, list[str]]:
    return {finding.name: finding.offenders for finding in checks.run() if finding.count}


def proposed(client: Client, account: Account, direction: str, value: str, note: str = "") -> str:
    form = {"direction": direction, "value": value, "note": note, "reason": "a fee charged twice", "answered": "1"}
    picked = {"action": "adjust", "_selected_action": [account.pk]}
    return client.post("/admin/payments/account/", {**picked, **form}, follow=True).content.decode()


def test_two_operators_credit_and_debit_a_merchant(operator: Client) -> None:
    shop = making.company()
    asked = operator.post("/admin/payments/account/", {"action": "adjust", "_selected_action": [merchant(shop).pk]})
    assert all(f'name="{field}"' in asked.content.decode() for field in ("direction", "value", "note", "reason"))
    assert "A value in reais" in proposed(operator, merchant(shop), "1", "0,00")
    proposed(operator, merchant(shop), "1", "12,34", "Tarifa devolvida")
    assert (merchant(shop).posted, Proposal.objects.get().after["value"]) == (0, 1234), "nothing yet"
    assert "Booked. Available: R$ 0,00 → R$ 12,34" in approve_all().replace("\u00a0", " ")
    proposed(operator, merchant(shop), "-1", "2,34")
    approve_all()

    assert (making.balances(shop)["MERCHANT"], making.balances(shop)["ADJUSTMENT"]) == (1000, -1000)
    assert making.balances(shop)["CLEARING"] == 0, "no money moved at the bank"
    assert failed() == {}
    today = timezone.localdate()
    found = statement.page(shop, statement.Period(today, today), 0, 10)
    assert [(line.kind, line.value, line.balance, line.note) for line in found] == [
        ("adjustment", -234, 1000, ""),
        ("adjustment", 1234, 1234, "Tarifa devolvida"),
    ]
    told = transactions.statement(shop, None, None, 0, 10)
    assert [line.description for line in told] == ["Adjustment by the platform", "Tarifa devolvida"]
    events = OutboxEvent.objects.filter(topic="balance.adjusted", tenant=str(shop.pk)).order_by("pk")
    assert [event.payload for event in events] == [{"value": 1234}, {"value": -234}]
    logged = [each.get_change_message().replace("\u00a0", " ") for each in LogEntry.objects.order_by("pk")]
    assert any("value: - → R$ 12,34" in each and "a fee charged twice" in each for each in logged)
    assert any("Available: R$ 12,34 → R$ 10,00" in each for each in logged)


def test_who_proposed_it_does_not_approve_it_and_no_other_company_is_touched(operator: Client) -> None:
    shop, other = making.company(), making.company()
    proposed(operator, merchant(shop), "1", "5,00")
    form = {"action": "approve", "_selected_action": [Proposal.objects.get().pk], "confirmed": "1"}
    said = operator.post("/admin/payments/proposal/", form, follow=True).content.decode()
    assert ("Who proposed it does not approve it" in said, merchant(shop).posted) == (True, 0)
    approve_all()
    assert (merchant(shop).posted, merchant(other).posted) == (500, 0)


def test_control_an_adjustment_of_one_operator_is_found(operator: Client) -> None:
    """By the service alone, without a proposal; of another value; and one that was approved but never booked."""
    shop = making.company()
    adjustments.adjust(merchant(shop), 500, "operator-nobody")
    booked = LedgerTransaction.objects.get(kind="adjustment")
    assert failed() == {CHECK: [str(booked.pk)]}
    with transaction.atomic(), connection.cursor() as cursor:
        one, two = (User.objects.create_superuser(f"{name}@example.com") for name in ("one", "two"))
        made = Proposal.objects.create(
            public_id="nobody", act="adjust", target="1", company=shop, proposer=one, decider=two, status="DONE", after={"value": 500},
        )  # fmt: skip
        assert failed() == {}
        Proposal.objects.update(after={"value": 501})
        assert failed() == {CHECK: [str(booked.pk)]}
        Proposal.objects.update(after={"value": 500}, company=making.company())
        assert sorted(failed()[CHECK]) == sorted([str(booked.pk), "nobody"])
        Proposal.objects.update(company=shop)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE payments_proposal DROP CONSTRAINT proposal_has_four_eyes")
        Proposal.objects.update(decider=made.proposer)
        assert failed()[CHECK] == [str(booked.pk)]
        transaction.set_rollback(True)


def test_a_debit_beyond_the_balance_is_refused_and_only_balances_are_adjusted(finance: tuple[User, User]) -> None:
    one, other = finance
    shop = making.company()
    proposal = proposals.propose(one, "adjust", merchant(shop), "x", {"value": -1, "note": ""})
    ended = proposals.approve(proposal, other)
    assert (ended.status, ended.outcome) == ("FAILED", "value is more than the balance has available")
    with pytest.raises(Invalid, match="Only a merchant's own balance"):
        proposals.propose(one, "adjust", shop.accounts.get(kind="FEES"), "x", {"value": 1})
    assert failed() == {}


def test_an_adjustment_whose_process_died_is_booked_once(
    finance: tuple[User, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = finance
    shop = making.company()
    proposal = proposals.propose(one, "adjust", merchant(shop), "x", {"value": 700, "note": "Bônus"})
    later = done_and_died(proposal, other, monkeypatch)
    assert failed() == {}, "approved and booked, though its end is not written down"
    ended = proposals.approve(proposal, other, later + timedelta(minutes=1))
    assert (ended.status, ended.outcome) == ("DONE", "Booked before its process died.")
    assert merchant(shop).posted == 700
