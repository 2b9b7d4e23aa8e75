"""The bucket in front of the DICT, and its two end points."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import connections

from payments.models import Company, PixKeyMovement
from payments.services import companies, pix_key_tokens
from payments.services.errors import TooMany
from tests.payments import making
from tests.payments.api.conftest import Merchant
from woovi.ratelimit import Ask, Subject, store, take

KEY = "ana@example.com"


@pytest.fixture
def shop(db: None) -> Merchant:
    company = making.company()
    return Merchant(company, companies.issue_application(company, "Test")[1])


@pytest.fixture(autouse=True)
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """As shipped, but nothing comes back while a test runs."""
    now = store.current().defaults
    changed = {**now, "pix.keys": replace(now["pix.keys"], per=60_000)}
    monkeypatch.setattr(store._store, "_limits", store.Limits(changed))


def look_up(company: Company, reason: str) -> None:
    with pix_key_tokens.lookup(company, KEY) as asked:
        asked.reason = reason


def left(company: Company) -> int:
    return pix_key_tokens.balance(company).tokens


@pytest.mark.parametrize(
    ("reason", "cost"),
    [("DICT_LOOKUP", 1), ("NOT_FOUND_PIX_KEY", 20), ("INVALID_PIX_KEY", 20), ("TOO_MANY_REQUESTS", 20)],
)
def test_what_a_look_up_costs(shop: Merchant, reason: str, cost: int) -> None:
    look_up(shop.company, reason)
    assert left(shop.company) == 500 - cost


def test_refused_below_twenty_before_the_dict(shop: Merchant) -> None:
    for _ in range(24):
        look_up(shop.company, "NOT_FOUND_PIX_KEY")
    look_up(shop.company, "DICT_LOOKUP")
    assert left(shop.company) == 19
    with pytest.raises(TooMany, match="many Pix keys that do not exist") as refusal:
        look_up(shop.company, "DICT_LOOKUP")
    assert refusal.value.retry_after > 0
    assert left(shop.company) == 19
    look_up(making.company(), "DICT_LOOKUP")  # another tax id


def test_a_look_up_that_broke_cost_the_worst(shop: Merchant) -> None:
    with pytest.raises(OSError, match="gone"), pix_key_tokens.lookup(shop.company, KEY):
        raise OSError("gone")
    assert left(shop.company) == 480


def test_a_payment_gives_two_back_once(shop: Merchant) -> None:
    look_up(shop.company, "NOT_FOUND_PIX_KEY")
    for _ in range(2):
        pix_key_tokens.reward(shop.company, KEY, "E1")
    assert left(shop.company) == 482
    pix_key_tokens.reward(shop.company, KEY, "E2")
    assert left(shop.company) == 484


def test_both_applications_of_a_company_share_it(shop: Merchant) -> None:
    other = Merchant(shop.company, companies.issue_application(shop.company, "Second")[1])
    look_up(shop.company, "NOT_FOUND_PIX_KEY")
    assert other.get("/api/v1/pix-keys/tokens").json()["tokens"] == 480


def test_the_end_points(shop: Merchant) -> None:
    look_up(shop.company, "NOT_FOUND_PIX_KEY")
    look_up(shop.company, "DICT_LOOKUP")
    pix_key_tokens.reward(shop.company, KEY, "E1")
    told = shop.get("/api/v1/pix-keys/tokens").json()
    assert told.pop("nextRefresh").endswith("Z")
    assert told == {"tokens": 481, "maxTokens": 500, "tokensAfterRefresh": 500, "refreshRate": 20}
    answer = shop.get("/api/v1/pix-keys/tokens/logs", limit=2).json()
    assert [{k: v for k, v in row.items() if k != "createdAt"} for row in answer["logs"]] == [
        {"operation": "ADD", "reason": "DICT_MESSAGE_REFUND", "tokens": 2, "tokensBefore": 479, "tokensAfter": 481, "endToEndId": "E1", "pixKey": KEY},
        {"operation": "REMOVE", "reason": "DICT_LOOKUP", "tokens": 1, "tokensBefore": 480, "tokensAfter": 479, "pixKey": KEY},
    ]  # fmt: skip
    assert answer["pageInfo"]["totalCount"] == 3


def test_nobody_sees_anothers(shop: Merchant) -> None:
    look_up(making.company(), "NOT_FOUND_PIX_KEY")
    assert shop.get("/api/v1/pix-keys/tokens/logs").json()["logs"] == []
    assert shop.get("/api/v1/pix-keys/tokens").json()["tokens"] == 500


def test_a_refill_is_written_before_what_saw_it(shop: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    look_up(shop.company, "NOT_FOUND_PIX_KEY")
    PixKeyMovement.objects.update(tokens_after=470)  # as if ten had come back since
    look_up(shop.company, "DICT_LOOKUP")
    rows = list(PixKeyMovement.objects.order_by("id").values_list("operation", "tokens", "tokens_after"))
    assert rows[1:] == [("REFILL", 10, 480), ("REMOVE", 1, 479)]


def test_the_api_says_429_in_the_contracts_words(shop: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise TooMany(pix_key_tokens.REFUSAL, retry_after=2.5)

    monkeypatch.setattr(pix_key_tokens, "balance", refuse)
    answer = shop.get("/api/v1/pix-keys/tokens")
    assert (answer.status_code, answer["Retry-After"]) == (429, "3")
    assert answer.json() == {"error": pix_key_tokens.REFUSAL, "errorCode": "TOO_MANY_REQUESTS"}


def crowd(look: Callable[[], None]) -> int:
    """Forty look-ups at once. How many were sent on."""
    barrier, sent = threading.Barrier(40), list[int]()

    def one() -> None:
        barrier.wait()
        try:
            look()
            sent.append(1)
        except TooMany:
            pass
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(sent)


def test_forty_at_once_send_as_many_as_the_bucket_can_pay_for(transactional_db: None) -> None:
    company = making.company()
    for _ in range(20):
        look_up(company, "NOT_FOUND_PIX_KEY")
    assert crowd(lambda: look_up(company, "NOT_FOUND_PIX_KEY")) == 5
    assert left(company) == 0


# ── the DICT's own buckets ───────────────────────────────────────────────────────────────────────────────────────────


def of_dict(name: str, subject: Subject) -> int:
    """What is left in one of them."""
    return take(Ask(store.current().policy(name), subject, 0)).remaining


def change(monkeypatch: pytest.MonkeyPatch, name: str, burst: int) -> None:
    now = store.current().defaults
    changed = replace(now[name], limit=1, per=36_000, burst=burst)
    monkeypatch.setattr(store._store, "_limits", store.Limits({**now, name: changed}))


@pytest.mark.parametrize(("reason", "of_user", "of_participant"), [("DICT_LOOKUP", 1, 1), ("NOT_FOUND_PIX_KEY", 20, 3)])
def test_a_look_up_is_charged_as_the_dict_will(
    shop: Merchant, settings: Any, monkeypatch: pytest.MonkeyPatch, reason: str, of_user: int, of_participant: int
) -> None:
    change(monkeypatch, "dict.user.pj", 1_000)
    change(monkeypatch, "dict.participant", 500)
    settings.BANK_ISPB = "11111111"
    look_up(shop.company, reason)
    user, participant = Subject("taxid", shop.company.tax_id), Subject("ispb", "11111111")
    assert of_dict("dict.user.pj", user) == 1_000 - of_user
    assert of_dict("dict.participant", participant) == 500 - of_participant
    pix_key_tokens.reward(shop.company, KEY, "E1")
    assert of_dict("dict.user.pj", user) == min(1_000 - of_user + 2, 1_000)
    assert of_dict("dict.participant", participant) == 500 - of_participant + 1


def test_e_mails_and_numbers_have_buckets_of_their_own(shop: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    change(monkeypatch, "dict.user.pj", 20)
    look_up(shop.company, "NOT_FOUND_PIX_KEY")
    with pytest.raises(TooMany, match="directory of Pix keys takes no more"):
        look_up(shop.company, "DICT_LOOKUP")
    assert left(shop.company) == 480, "our own bucket is not charged for it"
    with pix_key_tokens.lookup(shop.company, "11144477735") as asked:  # ENTRIES_READ_USER_ANTISCAN_V2
        asked.reason = "DICT_LOOKUP"


def test_the_participants_bucket_is_everybodys(shop: Merchant, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.BANK_ISPB = "22222222"
    change(monkeypatch, "dict.participant", 6)
    for company in (shop.company, making.company()):
        look_up(company, "NOT_FOUND_PIX_KEY")
    with pytest.raises(TooMany, match="directory of Pix keys takes no more"):
        look_up(making.company(), "DICT_LOOKUP")
