"""A return that the bank made by itself is booked, once, whatever the balance has."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from payments import checks, contract
from payments.bank.port import BankReceived, BankReturn, ReturnStatus
from payments.models import Account, Charge, LedgerTransaction, ReceivedPix, Refund, User
from payments.selectors import charges as select
from payments.services import debts, reconciliation
from payments.services.charges import bank_returns, receiving, refunds, returning
from payments.services.errors import Invalid
from tests.payments import making
from woovi.outbox.models import OutboxEvent

pytestmark = pytest.mark.django_db(transaction=True)
DONE, UNDER_WAY, FAILED = ReturnStatus.DONE, ReturnStatus.PROCESSING, ReturnStatus.REFUSED


@pytest.fixture
def told() -> BankReceived:
    """A charge of 1000 of a company that has 950 of it and no more, and the Pix that paid it."""
    charge = making.charge(making.company(), 1000, expires_at=timezone.now() + timedelta(hours=1))
    pix = making.pix(charge, paid_at=timezone.now())
    receiving.receive(pix)
    return pix


def tell(pix: BankReceived, *returns: BankReturn) -> None:
    assert reconciliation.book_all([BankReceived(**{**vars(pix), "returns": returns})])


def back(status: ReturnStatus = DONE, value: int = 300, id_: str = "MED0001", **more: str) -> BankReturn:
    end_to_end_id = making.end_to_end_id().replace("E", "D", 1)
    return BankReturn(id_, end_to_end_id, value, status, **{"nature": "MED_FRAUDE", **more})


def balances() -> dict[str, int]:
    return making.balances(Charge.objects.get().company)


def failed() -> list[str]:
    return [finding.name for finding in checks.run() if finding.count]


def topics(prefix: str) -> list[str]:
    return list(OutboxEvent.objects.filter(topic__startswith=prefix).values_list("topic", flat=True))


@pytest.mark.parametrize("nature", ["ORIGINAL", "RETIRADA", "MED_OPERACIONAL", "MED_FRAUDE", ""])
def test_it_is_a_debit_a_refund_and_an_event(told: BankReceived, nature: str) -> None:
    tell(told, back(nature=nature))

    refund, charge = Refund.objects.get(), Charge.objects.get()
    assert (refund.status, refund.value, refund.by_bank, refund.charge) == ("CONFIRMED", 300, True, charge)
    assert (charge.refunded, charge.left) == (300, 700)
    assert balances() == {"CLEARING": -700, "MERCHANT": 650, "FEES": 50, "SUSPENSE": 0}
    event = OutboxEvent.objects.get(topic="OPENPIX:PIX_TRANSACTION_REFUND_SENT_CONFIRMED")
    assert event.payload["refundTransaction"]["value"] == 300
    assert event.payload["originalTransaction"]["endToEndId"] == told.end_to_end_id
    assert [moment.what for moment in select.timeline(charge)][-2:] == [
        "bank_return:IN_PROCESSING",
        "bank_return:CONFIRMED",
    ]
    assert failed() == []


def test_however_often_it_is_told_it_is_booked_once(told: BankReceived) -> None:
    returned = back()
    for _ in range(3):
        tell(told, returned)

    assert Refund.objects.count() == 1
    assert balances()["MERCHANT"] == 650
    assert topics("OPENPIX:PIX") == ["OPENPIX:PIX_TRANSACTION_REFUND_SENT_CONFIRMED"]


def _at_once(told: BankReceived, returned: BankReturn) -> None:
    def one(_: int) -> None:
        try:
            returning.note_returns(told.end_to_end_id, (returned,))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(8)))


def test_told_by_eight_at_once_it_is_booked_once(told: BankReceived) -> None:
    _at_once(told, back())

    assert Refund.objects.count() == 1
    assert balances()["MERCHANT"] == 650
    assert failed() == []


def test_without_its_guards_it_is_booked_twice_and_check_ledger_sees_it(
    told: BankReceived, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: each telling takes itself for the first, and the ledger's key is another one."""
    tell(told, back())
    refund = Refund.objects.get()
    Refund.objects.filter(pk=refund.pk).update(status="IN_PROCESSING")
    monkeypatch.setattr(bank_returns.ledger, "post", _posted_anew(bank_returns.ledger.post))

    returning.resolve(refund.pk, back())

    assert balances()["MERCHANT"] == 350
    assert "what was booked of a return that the bank made, or to correct a refund, has its refund" in failed()


def _posted_anew(post: Any) -> Any:
    def other_key(posting: Any) -> Any:
        return post(type(posting)(posting.company_id, posting.kind, "another key", posting.lines))

    return other_key


def test_a_return_of_the_same_id_of_another_pix_is_another_return(told: BankReceived) -> None:
    loose = making.pix(pix_key=Charge.objects.get().company.pix_key, value=500)
    receiving.receive(loose)

    tell(told, back(id_="1"))
    tell(loose, back(id_="1", value=100))

    assert sorted(Refund.objects.values_list("value", flat=True)) == [100, 300]
    assert failed() == []


def test_under_way_nothing_moves_yet_but_less_is_left_to_return(told: BankReceived) -> None:
    tell(told, back(UNDER_WAY))

    charge = Charge.objects.get()
    assert (Refund.objects.get().status, charge.refunded) == ("IN_PROCESSING", 300)
    assert balances()["MERCHANT"] == 950
    with pytest.raises(Invalid, match="700"):
        refunds.request(charge.company, charge, "a", 701)
    assert topics("refund.") == ["refund.requested"], "the company's pages are woken"
    assert failed() == []

    tell(told, back())
    assert balances()["MERCHANT"] == 650
    assert failed() == []


def test_one_that_failed_moves_nothing(told: BankReceived) -> None:
    tell(told, back(UNDER_WAY))
    tell(told, back(FAILED, reason="Conta encerrada"))

    refund, charge = Refund.objects.get(), Charge.objects.get()
    assert (refund.status, refund.reason, charge.refunded) == ("REJECTED", "Conta encerrada", 0)
    assert balances()["MERCHANT"] == 950
    assert failed() == []


def test_what_the_balance_has_not_is_owed_and_paid_out_of_what_comes_next(told: BankReceived) -> None:
    tell(told, back(value=1000))

    assert balances() == {"CLEARING": 0, "MERCHANT": 0, "FEES": 50, "SUSPENSE": 0, "RECEIVABLE": -50}
    assert debts.collect() == 0
    receiving.receive(making.pix(pix_key=Charge.objects.get().company.pix_key, value=80))  # 30 after the fee
    assert [debts.collect(), debts.collect()] == [30, 0]
    assert balances()["RECEIVABLE"] == -20
    receiving.receive(making.pix(pix_key=Charge.objects.get().company.pix_key, value=1000))
    assert debts.collect() == 20
    assert (balances()["MERCHANT"], balances()["RECEIVABLE"]) == (930, 0)
    assert failed() == []


def test_what_is_held_for_another_refund_is_not_taken(told: BankReceived) -> None:
    charge = Charge.objects.get()
    refunds.request(charge.company, charge, "a", 900)

    tell(told, back(value=1000))  # the bank will refuse ours

    account = Account.objects.get(kind="MERCHANT")
    assert (account.posted, account.pending_out) == (900, 900)
    assert balances()["RECEIVABLE"] == -950
    charge.refresh_from_db()
    assert (charge.refunded, charge.left) == (1900, 0)
    returning.resolve(Refund.objects.get(by_bank=False).pk, BankReturn(_ours().return_id, "", 900, FAILED))
    assert debts.collect() == 900
    charge.refresh_from_db()
    assert charge.refunded == 1000
    assert failed() == []


def _ours() -> Refund:
    return Refund.objects.get(by_bank=False)


def test_of_a_pix_that_goes_back_by_itself_it_waits_for_ours_and_comes_out_of_suspense(told: BankReceived) -> None:
    again = making.pix(Charge.objects.get())
    receiving.receive(again)

    tell(again, back(value=1000))
    assert balances()["SUSPENSE"] == 1000, "ours holds it still"
    returning.resolve(_ours().pk, BankReturn(_ours().return_id, "", 1000, FAILED, "Já devolvido"))
    tell(again, back(value=1000))

    assert balances() == {"CLEARING": -1000, "MERCHANT": 950, "FEES": 50, "SUSPENSE": 0}
    assert Refund.objects.get(by_bank=True).charge is None
    assert failed() == []


def test_other_payers_money_in_suspense_is_not_taken(told: BankReceived) -> None:
    mine, other = making.pix(Charge.objects.get()), making.pix(Charge.objects.get())
    for pix in (mine, other):
        receiving.receive(pix)
    ours = Refund.objects.get(received__end_to_end_id=mine.end_to_end_id)
    returning.resolve(ours.pk, BankReturn(ours.return_id, "", 1000, DONE))

    tell(mine, back(value=1000))  # twice the Pix: no bank should

    assert balances()["SUSPENSE"] == 1000
    assert balances()["RECEIVABLE"] == -1000


def test_a_booked_return_that_the_bank_takes_back_is_a_contradiction(told: BankReceived) -> None:
    tell(told, back())
    tell(told, back(FAILED))
    assert failed() == ["a refund ended at the bank as it did here"]


def test_a_return_of_a_pix_that_nobody_booked_is_booked_with_it(told: BankReceived) -> None:
    loose = making.pix(pix_key=Charge.objects.get().company.pix_key, value=500)
    tell(loose, back(value=500))
    assert ReceivedPix.objects.count() == 2
    assert LedgerTransaction.objects.filter(kind="bank_return").count() == 1
    assert failed() == []


def test_the_value_that_counts_is_the_last_one_told(told: BankReceived) -> None:
    tell(told, back(UNDER_WAY, value=300))
    tell(told, back(value=200))
    assert (Charge.objects.get().refunded, balances()["MERCHANT"]) == (200, 750)
    assert failed() == []


def test_its_end_to_end_id_may_be_told_later(told: BankReceived) -> None:
    """The bank's statement has its line under that id."""
    known = back()
    tell(told, replace(known, end_to_end_id=""))
    assert Refund.objects.get().end_to_end_id == ""
    for end_to_end_id in (known.end_to_end_id, "D" + "9" * 31, ""):
        tell(told, replace(known, end_to_end_id=end_to_end_id))
    assert Refund.objects.get().end_to_end_id == known.end_to_end_id
    assert failed() == []


def test_a_return_of_nothing_is_ignored(told: BankReceived) -> None:
    tell(told, back(value=0))
    assert not Refund.objects.exists()


@pytest.mark.parametrize("one", [True, False], ids=["one object", "a list"])
def test_told_by_the_callback_the_merchant_sees_it(told: BankReceived, one: bool, settings: Any) -> None:
    returned = {
        "id": "MED0001", "rtrId": "D" + told.end_to_end_id[1:], "valor": "3.00", "natureza": "MED_FRAUDE",
        "horario": {"solicitacao": "2026-03-02T17:00:00Z"}, "status": "DEVOLVIDO",
    }  # fmt: skip
    pix = {
        "endToEndId": told.end_to_end_id, "txid": told.txid, "valor": "10.00", "horario": told.paid_at.isoformat(),
        "devolucoes": returned if one else [returned],
    }  # fmt: skip
    client, charge = Client(), Charge.objects.get()
    for _ in range(2):
        answer = client.post(
            "/bank/pix", {"pix": [pix]}, content_type="application/json",
            headers={"X-Bank-Callback-Token": settings.BANK_CALLBACK_TOKEN},
        )  # fmt: skip
        assert answer.status_code == 200

    charge.refresh_from_db()
    assert contract.charge(charge, charge.company)["refunded"] == 300
    shown = contract.refund(charge.refunds.get())
    assert (shown["value"], shown["status"], shown["comment"]) == (300, "CONFIRMED", "Returned by the bank: MED_FRAUDE")
    assert shown["endToEndId"] == returned["rtrId"]
    user = User.objects.create_user("m@example.com", "x", company=charge.company)
    client.force_login(user)
    page = client.get(f"/charges/{charge.public_id}").content.decode()
    assert 'data-what="bank_return:CONFIRMED"' in page
    assert balances()["MERCHANT"] == 650
