"""What operators do about money that is not where it should be: by right only, with a reason, and in the log."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import transaction
from django.db.models import F
from django.test import Client
from django.utils import timezone

from payments import checks
from payments.bank import current
from payments.bank.port import BankReturn, ReturnStatus
from payments.models import BankCursor, BankDifference, Charge, ReceivedPix, Refund, SetAsidePix, User
from payments.services import reconciliation
from payments.services.charges import ChargeRequest, create, receiving, refunds, returning
from payments.services.errors import Invalid, Unavailable
from payments.services.reconciliation import contradictions, suspense
from tests.bank_process import BankProcess
from tests.payments import making
from tests.payments.admin.second import approve_all
from tests.processes import a_session_waits_for_a_lock, wait_until
from woovi.threads import gives_back

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("op@example.com", "x"))
    return client


def act(operator: Client, model: str, action: str, pk: Any, **form: str) -> str:
    answer = operator.post(
        f"/admin/payments/{model}/", {"action": action, "_selected_action": [pk], **form}, follow=True
    )
    assert answer.status_code == 200
    return answer.content.decode()


def failed() -> list[str]:
    return [finding.name for finding in checks.run() if finding.count]


@pytest.fixture
def stuck(bank: BankProcess) -> Refund:
    """Money of a payer in suspense, whose return the bank has refused."""
    charge = create(making.company(), ChargeRequest("a", 1000))
    for force in (False, True):
        told = bank.pay(charge.txid, force=force, callback="lost")
        receiving.receive(current().read_received(told["endToEndId"]))
    bank.faults(return_refused_percent=100)
    refund = returning.send(Refund.objects.get().pk)
    assert refund.status == "REJECTED"
    bank.faults()
    return refund


def test_a_return_out_of_suspense_is_tried_again_once(operator: Client, stuck: Refund) -> None:
    page = act(operator, "refund", "retry_suspense", stuck.pk)
    assert 'name="reason"' in page
    assert Refund.objects.count() == 1, "nothing before a reason is given"

    act(operator, "refund", "retry_suspense", stuck.pk, answered="1", reason="the payer asked")
    assert Refund.objects.count() == 1, "nothing before another operator has approved"
    approve_all()

    again = Refund.objects.exclude(pk=stuck.pk).get()
    assert (again.value, again.automatic, again.return_id != stuck.return_id) == (1000, True, True)
    assert "the payer asked" in LogEntry.objects.get(user__email="op@example.com").change_message
    said = act(operator, "refund", "retry_suspense", stuck.pk, answered="1", reason="again")
    assert "não resta nada a devolver" in said
    assert returning.send(again.pk).status == "CONFIRMED"
    assert making.balances(stuck.company)["SUSPENSE"] == 0
    with pytest.raises(Invalid):
        suspense.retry(stuck)
    assert failed() == []


def test_a_correction_takes_turns_with_who_gives_the_money_to_the_merchant(
    stuck: Refund, monkeypatch: pytest.MonkeyPatch
) -> None:
    suspense.retry(stuck)
    again = returning.send(Refund.objects.exclude(pk=stuck.pk).get().pk)
    Refund.objects.filter(pk=again.pk).update(contradicted_at=timezone.now())
    monkeypatch.setattr(contradictions, "_at_bank", lambda refund: Refund.Status.REJECTED)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            ReceivedPix.objects.select_for_update(no_key=True).get(pk=again.received_id)
            correction = pool.submit(gives_back(contradictions.resolve), again)
            wait_until(a_session_waits_for_a_lock, 30)
        assert correction.result().status == "REJECTED"
    assert (making.balances(again.company)["SUSPENSE"], failed()) == (1000, [])


def test_without_the_right_there_are_no_such_actions(client: Client, stuck: Refund) -> None:
    reader = User.objects.create_user("r@example.com", "x", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_refund"))
    client.force_login(reader)
    act(client, "refund", "retry_suspense", stuck.pk, answered="1", reason="x")
    assert Refund.objects.count() == 1


def test_money_that_cannot_be_returned_becomes_the_merchants_and_is_not_returned_too(
    operator: Client, stuck: Refund
) -> None:
    before = making.balances(stuck.company)
    act(operator, "refund", "credit_suspense", stuck.pk, answered="1", reason="the payer's account is closed")
    assert making.balances(stuck.company) == before, "nothing before another operator has approved"
    approve_all()

    after = making.balances(stuck.company)
    assert (after["SUSPENSE"], after["MERCHANT"] - before["MERCHANT"]) == (0, 1000)
    assert failed() == []
    for action in ("retry_suspense", "credit_suspense"):
        said = act(operator, "refund", action, stuck.pk, answered="1", reason="again")
        assert "é do lojista" in said
    for direct in (suspense.retry, suspense.credit):
        with pytest.raises(Invalid, match="it is the merchant's"):
            direct(stuck)
    # The bank takes it back by itself: from the merchant by now, not from other payers' money in suspense.
    pix = stuck.received.end_to_end_id
    returning.note_returns(pix, (BankReturn("MED0001", "", 1000, ReturnStatus.DONE),))
    last = making.balances(stuck.company)
    assert (last["SUSPENSE"], last["MERCHANT"]) == (0, before["MERCHANT"])
    assert failed() == []


def test_control_a_pix_that_is_the_merchants_and_goes_back_as_well_is_found(stuck: Refund) -> None:
    suspense.credit(stuck)
    assert failed() == []
    Refund.objects.filter(pk=stuck.pk).update(status="CONFIRMED")
    assert "a Pix that was given to its merchant out of suspense came in, and did not go back by us as well" in failed()


@pytest.fixture
def contradicted(bank: BankProcess) -> Refund:
    """Refused here, though the bank has paid it."""
    shop = making.company()
    receiving.receive(making.pix(pix_key=shop.pix_key, value=5000))
    charge = create(shop, ChargeRequest("a", 1000))
    told = bank.pay(charge.txid, callback="lost")
    receiving.receive(current().read_received(told["endToEndId"]))
    refund = refunds.request(shop, Charge.objects.get(), "r", 400)
    returning.resolve(refund.pk, BankReturn(refund.return_id, "", 400, ReturnStatus.REFUSED))
    current().request_return(told["endToEndId"], refund.return_id, 400)
    returning.note_returns(told["endToEndId"], current().read_received(told["endToEndId"]).returns)
    refund.refresh_from_db()
    assert (refund.status, refund.contradicted_at is None) == ("REJECTED", False)
    return refund


def test_a_contradiction_is_resolved_as_the_bank_has_it(operator: Client, contradicted: Refund) -> None:
    before = making.balances(contradicted.company)["MERCHANT"]

    act(operator, "refund", "resolve_contradiction", contradicted.pk, answered="1", reason="seen at the bank")
    approve_all()

    contradicted.refresh_from_db()
    assert (contradicted.status, contradicted.contradicted_at) == ("CONFIRMED", None)
    assert making.balances(contradicted.company)["MERCHANT"] == before - 400
    assert Charge.objects.get().refunded == 400
    assert failed() == []
    said = act(operator, "refund", "resolve_contradiction", contradicted.pk, answered="1", reason="again")
    assert "O banco não contradiz esta devolução" in said
    assert LogEntry.objects.filter(user__email="op@example.com").count() == 1


def test_a_confirmed_refund_that_the_bank_never_paid_is_the_merchants_again(bank: BankProcess) -> None:
    shop = making.company()
    receiving.receive(making.pix(pix_key=shop.pix_key, value=5000))
    charge = create(shop, ChargeRequest("a", 1000))
    receiving.receive(current().read_received(bank.pay(charge.txid, callback="lost")["endToEndId"]))
    before = making.balances(shop)
    refund = refunds.request(shop, Charge.objects.get(), "r", 400)
    returning.resolve(refund.pk, BankReturn(refund.return_id, "", 400, ReturnStatus.DONE))
    Refund.objects.filter(pk=refund.pk).update(contradicted_at=timezone.now())

    assert contradictions.resolve(refund).status == "REJECTED"

    assert making.balances(shop) == before
    assert Charge.objects.get().refunded == 0
    assert failed() == []


def test_a_return_of_the_banks_own_that_it_does_not_find_by_its_id_stays_contradicted(bank: BankProcess) -> None:
    """It told of the return, so not finding it is no answer to how that ended: the money may be gone."""
    shop = making.company()
    charge = create(shop, ChargeRequest("a", 1000))
    told = bank.pay(charge.txid, callback="lost")["endToEndId"]
    receiving.receive(current().read_received(told))
    for status in (ReturnStatus.REFUSED, ReturnStatus.DONE):
        returning.note_returns(told, (BankReturn("MED0001", "", 400, status),))
    refund = Refund.objects.get()
    assert (refund.status, refund.contradicted_at is None) == ("REJECTED", False)

    with pytest.raises(Invalid, match="does not find"):
        contradictions.resolve(refund)

    refund.refresh_from_db()
    assert refund.contradicted_at
    assert failed() == ["a refund ended at the bank as it did here"]


def test_while_the_bank_is_away_a_contradiction_stays(bank: BankProcess, contradicted: Refund) -> None:
    bank.faults(unavailable_percent=100)
    with pytest.raises(Unavailable):
        contradictions.resolve(contradicted)
    contradicted.refresh_from_db()
    assert contradicted.contradicted_at


def test_who_is_overtaken_at_a_contradiction_is_told_to_try_again(
    operator: Client, contradicted: Refund, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an operator has released the lock by force."""

    def overtaken(row: Refund, *_: Any) -> None:
        Refund.objects.filter(pk=row.pk).update(lock_fence=F("lock_fence") + 1)

    monkeypatch.setattr(contradictions, "_correct", overtaken)
    with pytest.raises(Unavailable, match="Somebody else"):
        contradictions.resolve(contradicted)
    act(operator, "refund", "resolve_contradiction", contradicted.pk, answered="1", reason="seen at the bank")
    approve_all()
    contradicted.refresh_from_db()
    assert (contradicted.status, contradicted.contradicted_at is None) == ("REJECTED", False)


def test_the_cursor_is_set_back_with_a_reason(operator: Client) -> None:
    now = timezone.now()
    cursor = BankCursor.objects.create(name="received", read_until=now)
    to = timezone.localtime(now - timedelta(days=2)).replace(microsecond=0)
    form = {"read_until_0": f"{to:%Y-%m-%d}", "read_until_1": f"{to:%H:%M:%S}", "reason": "a reader was mended"}

    act(operator, "bankcursor", "set_back", cursor.pk, answered="1", **form)

    cursor.refresh_from_db()
    assert cursor.read_until == to
    assert "a reader was mended" in LogEntry.objects.get().change_message
    act(operator, "bankcursor", "set_back", cursor.pk, answered="1", **{**form, "read_until_0": "2099-01-01"})
    cursor.refresh_from_db()
    assert cursor.read_until == to
    assert reconciliation.set_back(to - timedelta(days=1), now) == to


def test_a_difference_and_a_pix_set_aside_are_resolved_once(operator: Client) -> None:
    row = BankDifference.objects.create(day="2026-03-02", kind="MISSING_HERE", bank_value=5, our_value=0)
    aside = SetAsidePix.objects.create(end_to_end_id="E1", reason="?", next_attempt_at=timezone.now())
    for model, pk in (("bankdifference", row.pk), ("setasidepix", aside.pk)):
        act(operator, model, "resolve", pk, answered="1", reason="a fee")
        approve_all()
        assert (
            "já está resolvido" in (said := act(operator, model, "resolve", pk, answered="1", reason="b"))
            or "já não está aberta" in said
        )
    row.refresh_from_db()
    aside.refresh_from_db()
    assert (row.status, row.resolution, aside.resolution) == ("RESOLVED", "a fee", "a fee")
    assert operator.get("/admin/payments/bankday/").status_code == 200
    assert LogEntry.objects.filter(user__email="op@example.com").count() == 2
