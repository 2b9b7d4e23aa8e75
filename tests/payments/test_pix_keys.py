"""Who has a Pix key: the cache in front of the DICT, what it costs, and what is told while the bank is down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import transaction

from payments.bank import directory_wire, pace
from payments.bank.port import BankUnavailable
from payments.models import PixKeyMovement
from payments.services import pix_key_tokens, pix_keys
from payments.services.errors import TooMany, Unavailable
from payments.services.pix_keys import KeyNotFound, KeyRefused
from tests.bank_process import BankProcess, eventually
from tests.payments import making
from tests.payments.api.conftest import Merchant, merchant
from woovi.ratelimit import store

pytestmark = pytest.mark.django_db
KEY, NOBODYS = "ana@exemplo.com", "pix-key-not-found@woovi.com"


@pytest.fixture
def shop(db: None, bank_process: BankProcess) -> Merchant:
    return merchant()


@pytest.fixture
def rival(db: None) -> Merchant:
    return merchant()


@pytest.fixture(autouse=True)
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """No token comes back while a test runs."""
    now = store.current().defaults
    changed = {**now, "pix.keys": replace(now["pix.keys"], per=60_000)}
    monkeypatch.setattr(store._store, "_limits", store.Limits(changed))


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The DICT's answers are fresh for a moment only."""
    monkeypatch.setattr(directory_wire, "fresh_for", lambda _: 0.05)


def left(shop: Merchant) -> int:
    return pix_key_tokens.balance(shop.company).tokens


def raised(act: Callable[[], object], kind: type[Exception]) -> bool:
    try:
        act()
    except kind:
        return True
    return False


def test_the_second_answer_is_free_and_the_same(shop: Merchant) -> None:
    first = pix_keys.look_up(shop.company, "ANA@exemplo.com")
    assert left(shop) == 499
    assert pix_keys.look_up(shop.company, KEY) == first
    assert left(shop) == 499
    (row,) = PixKeyMovement.objects.filter(company=shop.company)
    assert (row.reason, row.pix_key, row.end_to_end_id[:9]) == ("DICT_LOOKUP", KEY, "E54811417")


def test_it_is_asked_for_again_when_its_cache_control_ends(shop: Merchant, short: None) -> None:
    pix_keys.look_up(shop.company, KEY)
    eventually(lambda: pix_keys.look_up(shop.company, KEY) and left(shop) == 498)


def test_nothing_is_kept_that_the_dict_forbids_to_keep(shop: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory_wire, "fresh_for", lambda _: 0.0)
    for cost in (1, 2):
        pix_keys.look_up(shop.company, KEY)
        assert left(shop) == 500 - cost


def test_nobody_has_it_is_remembered(shop: Merchant) -> None:
    for _ in range(3):
        with pytest.raises(KeyNotFound):
            pix_keys.look_up(shop.company, NOBODYS)
    assert left(shop) == 480


@pytest.mark.parametrize(
    ("key", "code", "cost"),
    [
        ("x@bloqueado.example", "ENTRY_ASSOCIATED_WITH_RESTRICTED_ACCOUNT_OR_USER", 20),
        ("no key", "INVALID_PIX_KEY", 0),  # the DICT is not asked
    ],
)
def test_a_refusal_is_told_and_not_kept(shop: Merchant, key: str, code: str, cost: int) -> None:
    for times in (1, 2):
        with pytest.raises(KeyRefused) as refused:
            pix_keys.look_up(shop.company, key)
        assert refused.value.code == code
        assert left(shop) == 500 - times * cost


def test_a_key_of_the_platform_costs_nothing(shop: Merchant, rival: Merchant) -> None:
    found = pix_keys.look_up(shop.company, rival.company.pix_key)
    assert (found.tax_id, found.name) == (rival.company.tax_id, rival.company.official_name)
    assert (found.ispb, found.branch, found.account) == ("54811417", "0001", "0001234567")
    assert left(shop) == 500


def test_an_answer_is_no_ones_but_who_paid_for_it(shop: Merchant, rival: Merchant) -> None:
    pix_keys.look_up(shop.company, KEY)
    pix_keys.look_up(rival.company, KEY)
    assert (left(shop), left(rival)) == (499, 499)


def test_it_is_not_for_the_inside_of_a_transaction(shop: Merchant) -> None:
    with pytest.raises(RuntimeError, match="inside a database transaction"), transaction.atomic():
        pix_keys.look_up(shop.company, KEY)
    assert left(shop) == 500


def test_out_of_tokens_only_known_keys_are_answered(shop: Merchant) -> None:
    known = pix_keys.look_up(shop.company, KEY)
    for number in range(24):
        with pytest.raises(KeyNotFound):
            pix_keys.look_up(shop.company, f"x{number}@ninguem.example")
    assert left(shop) == 19
    for _ in range(2):  # a refusal is not remembered as "the bank is down"
        with pytest.raises(TooMany):
            pix_keys.look_up(shop.company, "outra@exemplo.com")
    assert pix_keys.look_up(shop.company, KEY) == known
    assert left(shop) == 19


def test_the_bank_is_down(shop: Merchant, bank_process: BankProcess, short: None) -> None:
    """A known key is answered from before, another fails at once and costs nothing, and all is well afterwards."""
    known = pix_keys.look_up(shop.company, KEY)
    bank_process.faults(unavailable_percent=100)
    for _ in range(3):
        with pytest.raises(Unavailable):
            pix_keys.look_up(shop.company, "outra@exemplo.com")
    eventually(lambda: pix_keys._owners.counts.error and pix_keys.look_up(shop.company, KEY) == known)
    assert left(shop) == 499
    bank_process.faults()
    eventually(lambda: not raised(lambda: pix_keys.look_up(shop.company, "outra@exemplo.com"), Unavailable))


def test_what_our_own_pace_keeps_from_the_bank_costs_nothing(
    shop: Merchant, short: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = pix_keys.look_up(shop.company, KEY)

    def refuse(bank: str) -> None:
        raise BankUnavailable("NotSent", "not sent because of bank.calls")

    monkeypatch.setattr(pace, "take_turn", refuse)
    eventually(lambda: pix_keys._owners.counts.error and pix_keys.look_up(shop.company, KEY) == known)
    with pytest.raises(Unavailable):
        pix_keys.look_up(shop.company, "outra@exemplo.com")
    assert left(shop) == 499


def test_without_stale_if_error_the_known_key_would_fail_too(
    shop: Merchant, bank_process: BankProcess, short: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pix_keys._owners, "stale_if_error", 0)
    pix_keys.look_up(shop.company, KEY)
    bank_process.faults(unavailable_percent=100)
    eventually(lambda: raised(lambda: pix_keys.look_up(shop.company, KEY), Unavailable))


# ── the API ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_check_is_masked_and_its_end_to_end_id_new_each_time(shop: Merchant) -> None:
    one, two = (shop.get("/api/v1/pix-keys/52998224725/check").json() for _ in range(2))
    assert one.pop("pixKeyEndToEndId") != two.pop("pixKeyEndToEndId")
    assert one == two
    owner = one.pop("owner")
    assert one == {"pixKey": "52998224725", "type": "CPF"}
    assert owner.pop("name")
    assert len(owner.pop("psp")) == 8
    assert owner == {"taxID": "529.***.***-25", "branch": "****", "account": "**********"}
    assert left(shop) == 499


def test_get_and_post_say_the_same(shop: Merchant) -> None:
    by_path = shop.get("/api/v1/pix-keys/%2B5511999991234/check").json()
    by_body = shop.post("/api/v1/pix-keys/check", {"pixKey": "+55 (11) 99999-1234"}).json()
    assert by_path["owner"] == by_body["owner"]


@pytest.mark.parametrize(
    ("key", "status", "error", "code"),
    [
        (NOBODYS, 404, "Pix key not found", "PIX_KEY_INFO_NOT_FOUND"),
        ("123", 400, "pixKey: not a valid CPF or CNPJ", "INVALID_PIX_KEY"),
        ("x@bloqueado.example", 400, "Pix key related to an account suspected of fraud", pix_keys.RESTRICTED),
    ],
)
def test_refusals_bear_a_code_where_the_key_was_in_the_path(
    shop: Merchant, key: str, status: int, error: str, code: str
) -> None:
    answer = shop.get(f"/api/v1/pix-keys/{key}/check")
    assert (answer.status_code, answer.json()) == (status, {"error": error, "errorCode": code})
    answer = shop.post("/api/v1/pix-keys/check", {"pixKey": key})
    assert (answer.status_code, answer.json()) == (status, {"error": error})


@pytest.mark.parametrize("body", [{}, {"pixKey": ""}, {"pixKey": ["x"]}, {"pixKey": "x" * 256}, {"pixKey": "a\0@b.c"}])
def test_bad_input_names_its_field(shop: Merchant, body: dict[str, Any]) -> None:
    answer = shop.post("/api/v1/pix-keys/check", body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("pixKey: ")


@pytest.mark.parametrize("key", ["%FF", "%00", "a%20b"])
def test_a_strange_path_is_refused(shop: Merchant, key: str) -> None:
    answer = shop.get(f"/api/v1/pix-keys/{key}/check")
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "INVALID_PIX_KEY")


def test_the_bank_is_down_for_the_api(shop: Merchant, bank_process: BankProcess) -> None:
    bank_process.faults(unavailable_percent=100)
    answer = shop.get(f"/api/v1/pix-keys/{KEY}/check")
    assert (answer.status_code, answer.json()) == (503, {"error": "The bank does not answer. Ask again in a moment"})


def test_no_personal_data_is_in_the_logs(
    shop: Merchant, bank_process: BankProcess, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG", logger="woovi"), caplog.at_level("DEBUG", logger="payments"):
        shop.get(f"/api/v1/pix-keys/{NOBODYS}/check")
        shop.get(f"/api/v1/pix-keys/{making.BIA}/check")
        bank_process.faults(unavailable_percent=100)
        assert shop.get(f"/api/v1/pix-keys/{making.ANA}/check").status_code == 503
    assert making.ANA not in caplog.text
    assert "Service Unavailable" in caplog.text
    assert NOBODYS not in caplog.text
    assert making.BIA not in caplog.text
