"""The bank tells each Pix five times, in any order and several at once: the books are those of a bank that tells it once."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from django.test import Client

from payments.bank.port import BankReceived
from payments.models import Company, LedgerTransaction, ReceivedPix
from tests.payments import making
from woovi.outbox.models import OutboxEvent
from woovi.threads import gives_back

TIMES, CHARGES = 5, 6


def paid(shop: Company) -> list[BankReceived]:
    """A Pix for each charge, a second one for some, and some for none."""
    charges = [making.charge(shop, 1000 + n) for n in range(CHARGES)]
    alone = [making.pix(pix_key=shop.pix_key, value=700 + n) for n in range(3)]
    return [*map(making.pix, charges), *map(making.pix, charges[:3]), *alone]


def tell(told: list[BankReceived]) -> None:
    body = [
        {
            "endToEndId": each.end_to_end_id, "txid": each.txid, "chave": each.pix_key,
            "valor": f"{each.value / 100:.2f}", "horario": f"{each.paid_at:%Y-%m-%dT%H:%M:%SZ}",
        }
        for each in told
    ]  # fmt: skip
    headers = {"X-Bank-Callback-Token": settings.BANK_CALLBACK_TOKEN}
    assert Client().post("/bank/pix", {"pix": body}, "application/json", headers=headers).status_code == 200


def books(shop: Company) -> tuple[dict[str, int], Counter[str], Counter[str], Counter[str]]:
    """Balances, and how many postings, Pix and events of each kind there are."""
    return (
        making.balances(shop),
        Counter(LedgerTransaction.objects.filter(company=shop).values_list("kind", flat=True)),
        Counter(ReceivedPix.objects.filter(company=shop).values_list("outcome", flat=True)),
        Counter(OutboxEvent.objects.filter(tenant=str(shop.pk)).values_list("topic", flat=True)),
    )


@pytest.mark.django_db(transaction=True)
def test_what_is_told_five_times_and_shuffled_is_booked_once() -> None:
    clean, noisy = making.company(), making.company()
    tell(paid(clean))
    tellings = paid(noisy) * TIMES
    dice = random.Random(7)
    dice.shuffle(tellings)
    calls = []
    while tellings:
        some = {each.end_to_end_id: each for each in (tellings.pop() for _ in range(min(3, len(tellings))))}
        calls.append(list(some.values()))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(gives_back(tell), calls))
    assert books(noisy) == books(clean)
    assert books(clean)[2] == {"SETTLED": CHARGES, "DUPLICATE": 3, "LOOSE": 3}
