"""Banks that answer in ways that the Pix API allows, or that real ones have: a charge is made all the same."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from payments.bank.port import BankError, BankNotFound, BankRefused, BankUnavailable, BankUnknown
from payments.bank.session import Session
from payments.models import Charge, Company, ReceivedPix
from payments.pix import brcode
from payments.services import reconciliation
from payments.services.charges import ChargeRequest, create, receiving, registering
from payments.services.errors import Unavailable
from tests.bank_process import BankProcess
from tests.payments import making

pytestmark = pytest.mark.django_db(transaction=True)
Answers = Callable[[Callable[[dict[str, Any]], None]], None]


@pytest.fixture
def shop() -> Company:
    return making.company()


@pytest.fixture
def answers(bank: BankProcess, monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Change what the bank answers to PUT and GET /cob before anybody reads it."""
    call = Session.call

    def changed(change: Callable[[dict[str, Any]], None]) -> None:
        def other(self: Session, method: str, path: str, **more: Any) -> Any:
            answer = copy.deepcopy(call(self, method, path, **more))
            if path.startswith("/cob/"):
                change(answer)
            return answer

        monkeypatch.setattr(Session, "call", other)

    return changed


@pytest.mark.parametrize("given", [None, "", "  ", {}, "no code at all"])
@pytest.mark.parametrize("scheme", ["", "https://"])
def test_without_a_code_one_is_built_from_the_address(answers: Answers, given: Any, scheme: str) -> None:
    shop = making.company(trade_name="Padaria São João", city="São Luís")
    answers(lambda cob: cob.update(pixCopiaECola=given, location=scheme + cob["location"]))

    charge = create(shop, ChargeRequest("a", 1000))

    code = brcode.decode(charge.br_code)
    assert (code.name, code.city, code.single_use) == ("Padaria Sao Joao", "Sao Luis", True)
    assert "/qr/v2/cob/" in code.url
    assert "://" not in code.url


@pytest.mark.parametrize("around", ["\ufeff{}", "{}\u200b", " {}\r\n", "\u2060{}\u00a0"])
def test_the_banks_code_is_kept_without_what_nobody_sees(answers: Answers, shop: Company, around: str) -> None:
    told: list[str] = []

    def change(cob: dict[str, Any]) -> None:
        told.append(cob["pixCopiaECola"])
        cob["pixCopiaECola"] = around.format(told[-1][:60] + "\u200b" + told[-1][60:])

    answers(change)
    assert create(shop, ChargeRequest("a", 1000)).br_code == told[0]


def test_blanks_around_what_the_bank_answers_are_no_part_of_it(answers: Answers, shop: Company) -> None:
    answers(
        lambda cob: cob.update(txid=f" {cob['txid']}\n", valor={"original": " 10.00 "}, location=f" {cob['location']} ")
    )
    assert create(shop, ChargeRequest("a", 1000)).registered_at


def test_the_address_may_stand_in_loc_alone(answers: Answers, shop: Company) -> None:
    def change(cob: dict[str, Any]) -> None:
        del cob["pixCopiaECola"], cob["location"]

    answers(change)
    assert brcode.decode(create(shop, ChargeRequest("a", 1000)).br_code).url


def test_a_shop_whose_name_no_code_can_hold_is_shown_by_its_number(answers: Answers) -> None:
    shop = making.company(trade_name="\ue000", city="\ue001")
    answers(lambda cob: cob.pop("pixCopiaECola"))
    code = brcode.decode(create(shop, ChargeRequest("a", 1000)).br_code)
    assert (code.name, code.city) == (shop.tax_id, "BRASIL")


def test_without_code_and_address_there_is_no_charge_and_the_same_request_goes_on(
    bank: BankProcess, shop: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(registering.codes, "br_code", lambda *given: "")
        with pytest.raises(Unavailable):
            create(shop, ChargeRequest("a", 1000))
        assert not Charge.objects.filter(registered_at__isnull=False).exists()
        assert reconciliation.finish_charges(timezone.now() + timedelta(minutes=5)) == 0
    assert create(shop, ChargeRequest("a", 1000)).br_code


def told_at(moment: datetime) -> Callable[[dict[str, Any]], None]:
    text = moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return lambda cob: cob["calendario"].update(criacao=text)


@pytest.mark.parametrize("hours", [-12, -3, -1, 1, 3, 12])
def test_a_charge_ends_by_our_clock_where_the_banks_is_hours_off(answers: Answers, shop: Company, hours: int) -> None:
    answers(told_at(timezone.now() + timedelta(hours=hours)))

    charge = create(shop, ChargeRequest("a", 1000, expires_in=3600))

    assert abs(charge.expires_at - timezone.now() - timedelta(hours=1)) < timedelta(seconds=30)


def test_by_less_than_a_minute_the_banks_clock_is_believed(answers: Answers, shop: Company) -> None:
    moment = timezone.now() + timedelta(seconds=30)
    answers(told_at(moment))
    assert create(shop, ChargeRequest("a", 1000, expires_in=3600)).expires_at == moment + timedelta(hours=1)


@pytest.mark.parametrize(
    "calendar",
    [
        {}, None, {"criacao": "ontem", "expiracao": "?"}, {"criacao": None, "expiracao": 0},
        {"expiracao": True}, {"expiracao": 10**12}, {"expiracao": "9" * 18}, {"expiracao": 1e300},
        {"expiracao": 1}, {"expiracao": 60}, {"expiracao": -3600}, {"expiracao": "60.0"}, {"expiracao": []},
    ],
)  # fmt: skip
def test_a_calendar_that_cannot_be_read_is_ours(answers: Answers, shop: Company, calendar: Any) -> None:
    answers(lambda cob: cob.update(calendario=calendar))
    charge = create(shop, ChargeRequest("a", 1000, expires_in=3600))
    assert abs(charge.expires_at - timezone.now() - timedelta(hours=1)) < timedelta(seconds=30)


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_pix_in_time_is_in_time_by_a_bank_hours_off(shop: Company, hours: int) -> None:
    now = timezone.now().replace(microsecond=0)
    charge = making.charge(shop, created_at=now, expires_at=now + timedelta(hours=1))
    minted = f"E99999008{now.astimezone(UTC):%Y%m%d%H%M}aaaaaaaaaaa"

    got = receiving.receive(making.pix(charge, paid_at=now + timedelta(hours=hours), end_to_end_id=minted), now)

    assert got is not None
    assert got.outcome == "SETTLED"
    assert abs(got.paid_at - now) <= timedelta(minutes=1)


@pytest.mark.parametrize("told", ["0001-01-01", "1970-01-01", "1899-12-30", "9999-12-31"])
@pytest.mark.parametrize("minute", ["", "000101010000", "999912312359"])
def test_an_empty_date_of_the_bank_is_no_time_of_a_payment(shop: Company, told: str, minute: str) -> None:
    """Nor is that of an id. No page could show it in Brazil's time, and the Pix could not be returned any more."""
    now = timezone.now().replace(microsecond=0)
    minted = f"E99999008{minute or now.astimezone(UTC).strftime('%Y%m%d%H%M')}aaaaaaaaaaa"
    paid = datetime.fromisoformat(f"{told}T00:00:00+00:00")

    got = receiving.receive(making.pix(pix_key=shop.pix_key, paid_at=paid, end_to_end_id=minted), now)

    assert got is not None
    assert abs(got.paid_at - now) <= timedelta(minutes=1)


def test_a_pix_that_came_late_is_late_by_a_bank_hours_slow(shop: Company) -> None:
    now = timezone.now().replace(microsecond=0)
    charge = making.charge(shop, created_at=now - timedelta(hours=2), expires_at=now - timedelta(hours=1))
    minted = f"E99999008{now.astimezone(UTC):%Y%m%d%H%M}aaaaaaaaaaa"

    got = receiving.receive(making.pix(charge, paid_at=now - timedelta(hours=3), end_to_end_id=minted), now)

    assert got is not None
    assert got.outcome == "LATE"


def test_two_clocks_stand_against_ours(shop: Company) -> None:
    """The bank's and the payer's bank's both say that it is later: ours is slow."""
    charge = making.charge(shop)
    paid = charge.expires_at + timedelta(hours=1)
    minted = f"E99999008{paid:%Y%m%d%H%M}aaaaaaaaaaa"
    got = receiving.receive(making.pix(charge, paid_at=paid, end_to_end_id=minted), making.NOW)
    assert got is not None
    assert got.outcome == "LATE"


REFUSALS = [BankNotFound, BankRefused, BankUnavailable, BankUnknown]


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_bank_that_refuses_our_address_for_callbacks_stops_no_charge(
    bank: BankProcess, shop: Company, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    refusal: type[BankError],
) -> None:  # fmt: skip
    asked, call = [], Session.call

    def refusing(self: Session, method: str, path: str, **more: Any) -> Any:
        if path.startswith("/webhook/") and len(asked) < 1:
            asked.append(path)
            raise refusal("WebhookOperacaoInvalida", "key not enabled for webhooks")
        return call(self, method, path, **more)

    monkeypatch.setattr(Session, "call", refusing)
    charge = create(shop, ChargeRequest("a", 1000))
    create(shop, ChargeRequest("b", 1000))

    assert charge.registered_at
    assert len(asked) == 1, "it is not asked again at once"
    assert [record.levelname for record in caplog.records if "callbacks" in record.message] == ["ERROR"]
    bank.pay(charge.txid)
    reconciliation.run()
    assert ReceivedPix.objects.get().outcome == "SETTLED", "the list has it"

    with monkeypatch.context() as later:  # a minute on, the bank is told
        later.setattr(registering.time, "monotonic", lambda: 1e12)
        create(shop, ChargeRequest("c", 1000))
    assert bank.http.get("/sim/faults").is_success
    answer = call(_session(), "GET", f"/webhook/{shop.pix_key}")
    assert answer["webhookUrl"].endswith("/bank")


def _session() -> Session:
    from payments import bank

    return bank.current()._session  # type: ignore[attr-defined, no-any-return]
