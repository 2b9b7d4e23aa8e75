"""A company's id of a payout is paid once, also where a file and a payment, or two files, come at the same moment."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction

from payments.models import Company, Payment, PayoutBatch, User
from payments.services import batches, payments, references
from payments.services.batches import importing
from payments.services.errors import Duplicate, Invalid
from payments.services.payments import PaymentOrder
from tests.payments import making
from tests.payments.batches.conftest import BankInProcess, csv_of, money, pay_all
from woovi.threads import gives_back

Make = Callable[[str], PayoutBatch]


def create(shop: Company, name: str) -> Payment:
    return payments.create(shop, PaymentOrder(name, 100, pix_key="ana@exemplo.com"))


def test_two_uploads_of_one_file_at_once(shop: Company, maker: User, monkeypatch: pytest.MonkeyPatch) -> None:
    both, load = threading.Barrier(2), importing._Loader.load

    def together(loader: importing._Loader, cells: Any, **kind: bool) -> None:
        load(loader, cells, **kind)
        both.wait(20)  # neither has committed its rows

    monkeypatch.setattr(importing._Loader, "load", together)

    def upload() -> PayoutBatch:
        return batches.upload(shop, maker, "folha.csv", io.BytesIO(csv_of(2).encode()))

    with ThreadPoolExecutor(2) as pool:
        made = [running.result(30) for running in [pool.submit(gives_back(upload)) for _ in range(2)]]
    assert sorted(batch.status for batch in made) == ["DRAFT", "VALIDATED"]
    refused = next(batch for batch in made if batch.problems)
    assert [problem.reason for problem in refused.first_problems] == ["is in another batch"] * 2


def test_a_payment_does_not_take_the_reference_of_a_batch(
    quick_bank: BankInProcess, shop: Company, uploaded: Make, checker: User
) -> None:
    batch = batches.submit(uploaded(csv_of(2, bad=1)))
    with pytest.raises(Duplicate):
        create(shop, "id-1")
    batch = pay_all(batches.approve(batch, checker, batch.signature))
    assert (batch.confirmed, batch.failed) == (1, 1)
    for name in ("id-1", "id-2"):
        with pytest.raises(Duplicate):
            create(shop, name)
    create(shop, "id-3")


def test_the_references_of_a_batch_that_pays_nothing_are_free(shop: Company, uploaded: Make) -> None:
    create(shop, "id-3")
    assert uploaded(csv_of(3)).status == "DRAFT"
    batches.cancel(uploaded(csv_of(2)))
    create(shop, "id-1")
    create(making.company(), "id-2")
    assert uploaded(csv_of(1, first=2)).status == "VALIDATED"


def test_an_approval_looks_again(shop: Company, uploaded: Make, checker: User) -> None:
    batch = batches.submit(uploaded(csv_of(2)))
    Payment.objects.create(company=shop, correlation_id="id-2", value=100, type="PIX_KEY", pix_key="ana@exemplo.com")
    with pytest.raises(Invalid, match="line 3"):
        batches.approve(batch, checker, batch.signature)
    batch.refresh_from_db()
    assert (batch.status, money(shop)) == ("AWAITING_APPROVAL", (999_500, 0))


def test_a_cancelled_batch_whose_rows_are_in_doubt_keeps_their_references(
    quick_bank: BankInProcess, shop: Company, approved: Make, uploaded: Make
) -> None:
    class Killed(BaseException):
        pass

    def kill(order: object) -> None:
        raise Killed

    batch = approved(csv_of(2))
    quick_bank.after = kill
    with pytest.raises(Killed):
        batches.pay(batch.pk)
    assert batches.cancel(batch).reserved == 200
    again = uploaded(csv_of(2))
    assert [problem.reason for problem in again.first_problems] == ["is in another batch"] * 2
    with pytest.raises(Duplicate):
        create(shop, "id-1")


@pytest.mark.parametrize("what", ["upload", "approve", "create"])
def test_each_waits_while_another_decides_about_the_companys_references(
    shop: Company, maker: User, checker: User, uploaded: Make, what: str
) -> None:
    batch = batches.submit(uploaded(csv_of(1)))
    acts: dict[str, Callable[[], object]] = {
        "upload": lambda: uploaded(csv_of(1, first=5)),
        "approve": lambda: batches.approve(batch, checker, batch.signature),
        "create": lambda: create(shop, "id-9"),
    }
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            references.decide_alone(shop.pk)
            waiting = pool.submit(gives_back(acts[what]))
            ends = time.monotonic() + 20
            while not _waits() and not waiting.done():
                assert time.monotonic() < ends
            assert not waiting.done()
        assert waiting.result(20)


def test_control_another_company_does_not_wait(shop: Company) -> None:
    other = making.company()
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        references.decide_alone(shop.pk)
        assert pool.submit(gives_back(create), other, "id-9").result(20)


def _waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database AND d.datname = current_database() "
            "WHERE locktype = 'advisory' AND NOT granted"
        )
        return bool(cursor.fetchone()[0])
