"""A company's own Pix keys: registered once at the bank, found by, paid to, made the default, and taken out again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from payments.bank.connector import Connector
from payments.bank.port import BankRefused, BankUnknown
from payments.models import Company, FurtherKey, PixKeyMovement, ReceivedPix
from payments.services import companies, own_keys, reconciliation
from payments.services.charges import receiving
from payments.services.errors import Invalid
from tests.bank_process import BankProcess
from tests.payments import making
from tests.payments.api.conftest import Merchant
from tests.payments.api.test_subaccounts import ten
from woovi.outbox.models import OutboxEvent
from woovi.threads import gives_back

pytestmark = pytest.mark.django_db(transaction=True)
KEYS = "/api/v1/pix-keys"
NOT_FOUND = (404, {"error": "Pix key not found"})


def listed(shop: Merchant) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shop.get(KEYS).json()["pixKeys"]
    return found


def created(shop: Merchant, **body: Any) -> str:
    answer = shop.post(KEYS, body)
    assert answer.status_code == 201, answer.content
    return str(answer.json()["key"])


def test_a_key_is_registered_paid_to_and_taken_out(shop: Merchant, rival: Merchant, bank: BankProcess) -> None:
    first = shop.company.pix_key
    random = created(shop, type="EVP")
    number = created(shop, key=shop.company.tax_id, type="CNPJ")
    assert created(shop, pixKey=shop.company.tax_id) == number, "a key that is there is answered"
    assert listed(shop) == [
        {"key": first, "type": "EMAIL", "isDefault": True},
        {"key": random, "type": "EVP", "isDefault": False},
        {"key": number, "type": "CNPJ", "isDefault": False},
    ]
    assert [row.reason for row in PixKeyMovement.objects.filter(company=shop.company)] == ["DICT_LOOKUP"] * 2

    # Others find its owner without asking the directory, and may send money to it.
    assert rival.post(f"{KEYS}/check", {"pixKey": random}).json()["owner"]["name"] == shop.company.official_name
    assert not PixKeyMovement.objects.filter(company=rival.company).exists()
    receiving.receive(making.pix(pix_key=rival.company.pix_key, value=1000))
    given = {"value": 100, "fromPixKey": rival.company.pix_key, "toPixKey": random}
    assert rival.post("/api/v1/transfer", given).status_code == 200
    code = shop.post("/api/v1/qrcode-static", {"name": "Balcão", "pixKey": random, "identifier": "balcao"}).json()
    assert code["pixQrCode"]["pixKey"] == random
    assert rival.post("/api/v1/qrcode-static", {"name": "Meu", "pixKey": random}).status_code == 400

    for merchant, key in ((rival, random), (shop, "nobody@example.com"), (shop, "a\0")):
        for answer in (merchant.delete(f"{KEYS}/{key}"), merchant.send("PUT", f"{KEYS}/{key}/default", "")):
            assert (answer.status_code, answer.json()) == NOT_FOUND
    assert shop.delete(f"{KEYS}/{first}").json() == {"error": "You cannot delete the default pix key"}
    assert shop.delete(f"{KEYS}/{random}").status_code == 204
    assert shop.delete(f"{KEYS}/{random}").status_code == 404
    assert random not in {each["key"] for each in listed(shop)}
    assert created(shop, type="EVP") != random

    # A Pix that was on its way is the company's all the same.
    late = receiving.receive(making.pix(pix_key=random, txid="balcao", value=700))
    assert late
    assert (late.company, late.outcome, late.qr_code_id is None) == (shop.company, ReceivedPix.Outcome.LOOSE, False)


def test_another_default(shop: Merchant, bank: BankProcess) -> None:
    former, random = shop.company.pix_key, created(shop, type="EVP")
    before = shop.post("/api/v1/charge", {"correlationID": "before", "value": 1000}).json()["charge"]
    for method in ("PUT", "POST"):
        answer = shop.send(method, f"{KEYS}/{random}/default", "" if method == "PUT" else {})
        assert answer.json() == {"key": random, "type": "EVP", "isDefault": True}
    assert [(each["key"], each["isDefault"]) for each in listed(shop)] == [(random, True), (former, False)]
    after = shop.post("/api/v1/charge", {"correlationID": "after", "value": 1000}).json()["charge"]
    assert after["pixKey"] == random
    for charge, key in ((before, former), (after, random)):
        shown = shop.get(f"/api/v1/charge/{charge['correlationID']}").json()["charge"]
        assert shown["pixKey"] == key, "a charge keeps the key that it was made with"

    now = timezone.now()
    for charge, key in ((before, former), (after, random)):
        paid = receiving.receive(making.pix(txid=charge["transactionID"], pix_key=key, value=1000, paid_at=now), now)
        assert paid
        assert paid.outcome == ReceivedPix.Outcome.SETTLED
        told = OutboxEvent.objects.filter(topic="OPENPIX:CHARGE_COMPLETED").latest("id").payload
        assert (told["charge"]["pixKey"], told["pix"]["creditParty"]["pixKey"]) == (key, {"pixKey": key})
    assert shop.delete(f"{KEYS}/{former}").status_code == 204, (
        "an operator had entered it: the bank never had it from us"
    )


def test_what_is_refused(shop: Merchant, bank: BankProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    other = making.company()
    for body, status, told in (
        ({"key": "novo@exemplo.com", "type": "EMAIL"}, 403, "EMAIL"),
        ({"key": "+5511999991234"}, 403, "PHONE"),
        ({"key": other.tax_id, "type": "CNPJ"}, 400, "not the CPF or CNPJ"),
        ({"key": "c4249323-b4ca-43f2-8139-874baab09b93", "type": "EVP"}, 400, "leave it out"),
        ({"type": "CNPJ"}, 400, "key is needed"),
        ({"key": "x"}, 400, "key"),
        ({"key": shop.company.tax_id, "type": "EVP"}, 400, "type EVP"),
    ):
        answer = shop.post(KEYS, body)
        assert answer.status_code == status, answer.content
        assert told in answer.json()["error"]
    assert not FurtherKey.objects.exists()
    assert not PixKeyMovement.objects.exists(), "the directory was not asked"

    monkeypatch.setitem(own_keys.MOST, 14, 2)
    created(shop, type="EVP")
    answer = shop.post(KEYS, {"type": "EVP"})
    assert (answer.status_code, "at most 2" in answer.json()["error"]) == (400, True)


def test_a_lost_answer_makes_no_second_key(shop: Merchant, bank: BankProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    register, made = Connector.register_key, []

    def lost(self: Connector, *asked: Any) -> str:
        made.append(register(self, *asked))
        raise BankUnknown("ReadTimeout")

    with monkeypatch.context() as broken:
        broken.setattr(Connector, "register_key", lost)
        assert shop.post(KEYS, {"type": "EVP"}).status_code == 503
    assert len(listed(shop)) == 1
    assert not PixKeyMovement.objects.exists(), "who gets no answer pays no tokens"
    assert created(shop, type="EVP") == made[0]
    assert created(shop, type="EVP") != made[0], "control: the next request is another key"

    keys = {each for each in ten(lambda _: own_keys.create(shop.company, shop.company.tax_id)) if isinstance(each, str)}
    assert keys == {shop.company.tax_id}
    assert [each["key"] for each in listed(shop)].count(shop.company.tax_id) == 1


def test_a_key_that_is_taken_out_does_not_become_the_default(
    shop: Merchant, bank: BankProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    former, random, remove, told = shop.company.pix_key, created(shop, type="EVP"), Connector.remove_key, []

    def meanwhile(self: Connector, key: str) -> None:
        told.append(shop.send("PUT", f"{KEYS}/{random}/default", "").status_code)
        remove(self, key)

    with monkeypatch.context() as slow:
        slow.setattr(Connector, "remove_key", meanwhile)
        assert shop.delete(f"{KEYS}/{random}").status_code == 204
    assert told == [404]
    assert [each["key"] for each in listed(shop)] == [former], "the former default is not taken for the one removed"

    def lost(self: Connector, key: str) -> None:
        remove(self, key)
        raise BankUnknown("ReadTimeout")

    random = created(shop, type="EVP")
    with monkeypatch.context() as broken:
        broken.setattr(Connector, "remove_key", lost)
        assert shop.delete(f"{KEYS}/{random}").status_code == 503
    assert [each["key"] for each in listed(shop)] == [former, random], "it is there to be removed again"
    assert shop.delete(f"{KEYS}/{random}").status_code == 204


def test_a_removal_whose_process_was_killed_is_taken_up_again(
    shop: Merchant, bank: BankProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(self: Connector, key: str) -> None:
        raise Killed

    def at_bank() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT FROM bank_sim.simulator_entry WHERE key = %s", [number])
            return bool(cursor.rowcount)

    number, later = created(shop, key=shop.company.tax_id), timezone.now() + timedelta(minutes=5)
    with monkeypatch.context() as dying:
        dying.setattr(Connector, "remove_key", killed)
        with pytest.raises(Killed):
            own_keys.remove(shop.company, number)
    assert (number in {each["key"] for each in listed(shop)}, at_bank()) == (False, True)
    own_keys.finish_removals()
    assert at_bank(), "the request may be under way still"
    answer = shop.post(KEYS, {"key": number})
    assert answer.status_code == 503, "who registered it now would lose it to the removal"

    bank.faults(unavailable_percent=100)
    own_keys.finish_removals(later)
    bank.faults()
    assert at_bank(), "control: without an answer it is not finished"
    reconciliation.run(later + timedelta(minutes=5))

    assert not at_bank()
    assert created(shop, key=number) == number
    reconciliation.run(later + timedelta(minutes=10))
    assert at_bank(), "a removal is finished once"


def test_a_removal_that_the_bank_refuses_is_undone(
    shop: Merchant, bank: BankProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: Connector, key: str) -> None:
        raise BankRefused("EntryLocked")

    random = created(shop, type="EVP")
    FurtherKey.objects.update(removed_at=timezone.now(), removing_since=timezone.now())  # its process was killed
    monkeypatch.setattr(Connector, "remove_key", refused)
    own_keys.finish_removals(timezone.now() + timedelta(minutes=5))
    assert random in {each["key"] for each in listed(shop)}
    assert shop.delete(f"{KEYS}/{random}").status_code == 400
    assert random in {each["key"] for each in listed(shop)}


def test_a_late_answer_takes_no_other_key_away(
    shop: Merchant, bank: BankProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    former, register, made = shop.company.pix_key, Connector.register_key, []

    def late(self: Connector, *asked: Any) -> str:
        monkeypatch.setattr(Connector, "register_key", register)
        made.append(created(shop, type="EVP"))  # the same request at once is faster, and its key the default by now
        assert shop.send("PUT", f"{KEYS}/{made[0]}/default", "").status_code == 200
        return register(self, *asked)

    monkeypatch.setattr(Connector, "register_key", late)
    assert created(shop, type="EVP") == made[0]
    assert [each["key"] for each in listed(shop)] == [made[0], former]


def test_a_key_that_becomes_the_default_meanwhile_is_found(shop: Merchant, bank: BankProcess) -> None:
    random, asked = created(shop, type="EVP"), []

    def swap(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        answer = execute(sql, params, many, context)
        if not asked:
            asked.append(sql)
            with ThreadPoolExecutor(1) as other:  # with a connection of its own
                other.submit(gives_back(own_keys.make_default), shop.company, random).result(30)
        return answer

    with connection.execute_wrapper(swap):
        assert companies.by_key(random) == shop.company
    assert asked
    assert Company.objects.get(pk=shop.company.pk).pix_key == random


def test_no_other_company_gets_a_further_key(shop: Merchant, bank: BankProcess) -> None:
    former, random = shop.company.pix_key, created(shop, type="EVP")
    own_keys.make_default(shop.company, random)
    new = {"official_name": "B", "trade_name": "B", "tax_id": "11444777000161"}
    for key in (former, former.upper(), random):
        with pytest.raises(Invalid, match="Another company has this Pix key"):
            companies.onboard(**new, pix_key=key)
    companies.onboard(**new, pix_key=shop.company.tax_id)
    answer = shop.post(KEYS, {"key": shop.company.tax_id})
    assert (answer.status_code, answer.json()["error"]) == (400, "key: another company has it")
