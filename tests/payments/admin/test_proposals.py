"""Four eyes: what moves money or changes a fee is proposed by one operator and decided by another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone

from payments.models import Account, BankDifference, Charge, Company, Proposal, Refund, User
from payments.services import companies, freezing, proposals, roles
from payments.services.acts import ACTS
from payments.services.errors import Invalid, ServiceError, Unavailable
from payments.services.reconciliation import bank_days, booking
from tests.payments import making
from tests.payments.admin.second import approve_all
from tests.payments.admin.test_admin import operator

__all__ = ["operator"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def finance() -> tuple[User, User]:
    roles.ship()
    two = [User.objects.create_user(f"f{n}@example.com", "x", is_staff=True) for n in (1, 2)]
    for user in two:
        user.groups.add(Group.objects.get(name="Finance"))
    return two[0], two[1]


def lower_fee(company: Company, by: User, to: int = 10) -> Proposal:
    return proposals.propose(by, "change_terms", company, "a promise", {"fee_minimum": to})


def test_another_operator_approves_and_it_is_done_with_old_and_new_values_kept(finance: tuple[User, User]) -> None:
    one, other = finance
    shop = making.company()
    proposal = lower_fee(shop, one)
    assert (proposal.before, proposal.after, proposal.company) == ({"fee_minimum": 50}, {"fee_minimum": 10}, shop)
    assert Company.objects.get().fee_minimum == 50, "nothing yet"
    with pytest.raises(Invalid, match="Who proposed it does not approve it"):
        proposals.approve(proposal, one)
    ended = proposals.approve(proposal, other)
    assert (ended.status, ended.decider, Company.objects.get().fee_minimum) == ("DONE", other, 10)
    for again in (lambda: proposals.approve(proposal, other), lambda: proposals.refuse(proposal, other, "no")):
        with pytest.raises(Invalid, match="It was decided already"):
            again()


def test_the_database_itself_wants_four_eyes(finance: tuple[User, User]) -> None:
    proposal = lower_fee(making.company(), finance[0])
    for decider in (finance[0], None):
        with pytest.raises(IntegrityError, match="proposal_has_four_eyes"), transaction.atomic():
            Proposal.objects.filter(pk=proposal.pk).update(status="APPROVED", decider=decider)


def test_it_is_refused_by_another_or_withdrawn_by_who_proposed_it(finance: tuple[User, User]) -> None:
    one, other = finance
    shop = making.company()
    assert proposals.refuse(lower_fee(shop, one), other, "too low").status == "REFUSED"
    ended = proposals.refuse(lower_fee(shop, one), one, "a slip")
    assert (ended.status, ended.outcome, Company.objects.get().fee_minimum) == ("WITHDRAWN", "a slip", 50)


def test_there_is_one_open_proposal_of_a_thing(finance: tuple[User, User]) -> None:
    one, other = finance
    shop = making.company()
    first = lower_fee(shop, one)
    with pytest.raises(Invalid, match="There is an open proposal of this already"):
        lower_fee(shop, other, 20)
    proposals.approve(first, other)
    assert lower_fee(shop, one, 20).before == {"fee_minimum": 10}


def test_what_has_changed_since_is_not_done(finance: tuple[User, User]) -> None:
    one, other = finance
    shop = making.company()
    proposal = lower_fee(shop, one)
    companies.update_terms(shop, fee_minimum=30)
    ended = proposals.approve(proposal, other)
    assert (ended.status, Company.objects.get().fee_minimum) == ("FAILED", 30)
    assert ended.outcome == "It has changed since it was proposed"


def test_who_has_not_the_right_of_the_act_neither_proposes_nor_decides(finance: tuple[User, User]) -> None:
    one, _ = finance
    shop, clerk = making.company(), User.objects.create_user("c@example.com", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["view_proposal", "change_proposal"]))
    with pytest.raises(Invalid, match="You have not the right"):
        lower_fee(shop, clerk)
    proposal = lower_fee(shop, one)
    for act in (proposals.approve, lambda p, u: proposals.refuse(p, u, "no")):
        with pytest.raises(Invalid, match="You have not the right"):
            act(proposal, clerk)
    assert Company.objects.get().fee_minimum == 50


@pytest.mark.parametrize("lost", ["role", "account"])
def test_nothing_is_done_for_who_has_lost_the_right_since(finance: tuple[User, User], lost: str) -> None:
    one, other = finance
    by_one, by_other = lower_fee(making.company(), one), lower_fee(making.company(), other)
    if lost == "role":
        one.groups.clear()
    else:
        User.objects.filter(pk=one.pk).update(is_active=False)
    gone = User.objects.get(pk=one.pk)
    with pytest.raises(Invalid, match="has no longer the right"):
        proposals.approve(by_one, other)
    with pytest.raises(Invalid, match="You have not the right"):
        proposals.approve(by_other, gone)
    assert set(Company.objects.values_list("fee_minimum", flat=True)) == {50}
    assert proposals.refuse(by_one, other, "she left").status == "REFUSED"


def test_a_company_that_is_frozen_in_between_is_asked_for_nothing(finance: tuple[User, User]) -> None:
    one, other = finance
    charge = paid_charge()
    proposal = proposals.propose(one, "refund", charge, "the merchant asked", {"value": 400})
    freezing.freeze(charge.company, ["refunds"])
    ended = proposals.approve(proposal, other)
    assert (ended.status, ended.outcome) == ("FAILED", "The company's refunds are frozen")
    assert not Refund.objects.exists()


def test_of_several_who_approve_at_once_one_does_it(transactional_db: None) -> None:
    charge = paid_charge()
    bosses = [User.objects.create_superuser(f"boss{n}@example.com", "x") for n in range(6)]
    proposal = proposals.propose(bosses[0], "adjust", merchant(charge.company), "a gesture", {"value": 400, "note": ""})
    before = merchant(charge.company).available

    def approve(boss: User) -> str:
        try:
            return proposals.approve(proposal, boss).status
        except Invalid as refusal:
            return refusal.message
        finally:
            connection.close()

    with ThreadPoolExecutor(5) as pool:
        ends = sorted(pool.map(approve, bosses[1:]))
    assert ends == ["DONE", *["It was decided already"] * 4]
    assert merchant(charge.company).available == before + 400


def merchant(company: Company) -> Account:
    return company.accounts.get(kind="MERCHANT", is_default=True)


def test_what_cannot_be_done_just_now_waits_and_what_was_left_halfway_is_taken_up(
    finance: tuple[User, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = finance
    proposal, now = lower_fee(making.company(), one), timezone.now()

    def away(*_: Any, **__: Any) -> None:
        raise Unavailable("The bank does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(companies, "update_terms", away)
        with pytest.raises(Unavailable):
            proposals.approve(proposal, other)
    proposal.refresh_from_db()
    assert (proposal.status, proposal.decider) == ("PROPOSED", None)
    # A process that died between the decision and the act.
    Proposal.objects.update(status="APPROVED", decider=other, decided_at=now)
    with pytest.raises(Invalid, match="decided already"):
        proposals.approve(proposal, other, now + timedelta(minutes=1))
    assert proposals.approve(proposal, other, now + timedelta(minutes=6)).status == "DONE"


def paid_charge() -> Charge:
    now = timezone.now()
    charge = making.charge(making.company(), created_at=now, expires_at=now + timedelta(hours=1))
    booking.book([making.pix(charge, paid_at=now)], now)
    return Charge.objects.get()


def done_and_died(proposal: Proposal, by: User, monkeypatch: pytest.MonkeyPatch) -> datetime:
    """Approve it in a process that dies between the act and the note of it. Returns when it may be approved again."""

    def die(*_: Any) -> None:
        raise SystemExit

    now = timezone.now()
    with monkeypatch.context() as patched:
        patched.setattr(proposals, "_end", die)
        with pytest.raises(SystemExit):
            proposals.approve(proposal, by, now)
    return now + timedelta(minutes=6)


def test_a_refund_that_was_asked_for_before_its_process_died_is_not_proposed_anew(
    finance: tuple[User, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = finance
    proposal = proposals.propose(one, "refund", paid_charge(), "the merchant asked", {"value": 400})
    later = done_and_died(proposal, other, monkeypatch)
    made = Refund.objects.get()
    ended = proposals.approve(proposal, other, later)
    assert (ended.status, ended.outcome) == ("DONE", f"Asked for, as refund {made.public_id}.")
    assert (Refund.objects.get(), Charge.objects.get().refunded) == (made, 400)


def test_terms_that_were_changed_before_their_process_died_are_done(
    finance: tuple[User, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = finance
    proposal = lower_fee(making.company(), one)
    later = done_and_died(proposal, other, monkeypatch)
    assert (proposals.approve(proposal, other, later).status, Company.objects.get().fee_minimum) == ("DONE", 10)


def test_what_is_refused_twice_may_have_been_done_before_its_process_died(
    finance: tuple[User, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = finance
    row = BankDifference.objects.create(day="2026-03-02", kind="MISSING_HERE", bank_value=5, our_value=0)
    proposal = proposals.propose(one, "resolve_difference", row, "a fee of the bank")
    ended = proposals.approve(proposal, other, done_and_died(proposal, other, monkeypatch))
    assert ended.status == "FAILED"
    assert ended.outcome == (
        "It may have been done before its process died: look before you propose it again. "
        "This difference is not open any more"
    )


def test_what_was_left_halfway_and_cannot_be_done_just_now_is_not_forgotten_to_be_halfway(
    finance: tuple[User, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = finance
    proposal = lower_fee(making.company(), one)
    later = done_and_died(proposal, other, monkeypatch)
    with monkeypatch.context() as patched:
        patched.setattr(companies, "update_terms", Mock(side_effect=Unavailable("The bank does not answer")))
        with pytest.raises(Unavailable):
            proposals.approve(proposal, other, later)
    proposal.refresh_from_db()
    assert (proposal.status, proposal.decided_at) == ("APPROVED", later - timedelta(minutes=6))
    assert proposals.approve(proposal, other, later).status == "DONE", "at once"


@pytest.mark.parametrize("end", [None, Unavailable("The bank does not answer"), Invalid("No")])
def test_who_was_slow_does_not_reopen_what_another_one_has_ended(
    finance: tuple[User, User], monkeypatch: pytest.MonkeyPatch, end: ServiceError | None
) -> None:
    one, other = finance
    third = User.objects.create_user("f3@example.com", "x", is_staff=True)
    third.groups.set(other.groups.all())
    proposal, now = lower_fee(making.company(), one), timezone.now()
    change, calls = companies.update_terms, iter([True])

    def slowly(company: Company, **terms: Any) -> Company:
        if next(calls, False):
            proposals.approve(Proposal.objects.get(), third, now + timedelta(minutes=6))
            if end:
                raise end
        return change(company, **terms)

    monkeypatch.setattr(companies, "update_terms", slowly)
    with pytest.raises(Unavailable) if isinstance(end, Unavailable) else nullcontext():
        assert proposals.approve(proposal, other, now).decider == third, "it is told how it ended"
    proposal.refresh_from_db()
    assert (proposal.status, proposal.outcome, proposal.decider) == ("DONE", "Changed.", third)


def test_a_difference_takes_two(finance: tuple[User, User]) -> None:
    one, other = finance
    row = BankDifference.objects.create(day="2026-03-02", kind="MISSING_HERE", bank_value=5, our_value=0)
    proposal = proposals.propose(one, "resolve_difference", row, "a fee of the bank")
    assert proposal.before == {"status": "OPEN", "bank_value": 5, "our_value": 0}
    proposals.approve(proposal, other)
    row.refresh_from_db()
    assert (row.status, row.resolution) == ("RESOLVED", "a fee of the bank")
    with pytest.raises(Invalid, match="not open any more"):
        proposals.propose(one, "resolve_difference", row, "again")
    gone = BankDifference.objects.create(day="2026-03-03", kind="MISSING_HERE", bank_value=5, our_value=0)
    late = proposals.propose(one, "resolve_difference", gone, "x")
    bank_days.resolve(gone, "by itself")
    assert proposals.approve(late, other).status == "FAILED"


def test_every_act_has_its_words_and_a_right_that_exists() -> None:
    from payments.admin.proposals import NAMES

    assert set(NAMES) == set(ACTS)
    for act in ACTS.values():
        label, codename = act.permission.split(".")
        assert Permission.objects.filter(content_type__app_label=label, codename=codename).exists()


def test_the_page_shows_the_values_and_the_log_names_both(operator: Client) -> None:
    boss = User.objects.get(email="op@example.com")
    shop = making.company(trade_name="Padaria")
    proposal = lower_fee(shop, boss)
    assert "Needs an operator now" in operator.get("/admin/").content.decode()
    page = operator.get(f"/admin/payments/proposal/{proposal.pk}/change/").content.decode().replace("\u00a0", " ")
    for words in ("Change fees", "Fee minimum: R$ 0,50 → R$ 0,10", "a promise", "op@example.com", "Padaria"):
        assert words in page
    own = {"action": "approve", "_selected_action": [proposal.pk]}
    assert "R$ 0,50 → R$ 0,10" in operator.post("/admin/payments/proposal/", own).content.decode().replace(
        "\u00a0", " "
    ), "the question has the values"
    answer = operator.post("/admin/payments/proposal/", {**own, "confirmed": "1"}, follow=True)
    assert "Who proposed it does not approve it." in answer.content.decode()
    approve_all()
    assert Company.objects.get().fee_minimum == 10
    logged = LogEntry.objects.filter(user__email="second@example.com")
    assert {entry.content_type.model for entry in logged if entry.content_type} == {"proposal", "company"}
    assert all("Approved" in entry.get_change_message() for entry in logged)


def test_refusing_asks_for_a_reason(operator: Client) -> None:
    proposal = lower_fee(making.company(), User.objects.get(email="op@example.com"))
    own = {"action": "refuse", "_selected_action": [proposal.pk]}
    assert 'name="reason"' in operator.post("/admin/payments/proposal/", own).content.decode()
    operator.post("/admin/payments/proposal/", {**own, "answered": "1", "reason": "a slip"})
    proposal.refresh_from_db()
    assert (proposal.status, proposal.outcome) == ("WITHDRAWN", "a slip")
