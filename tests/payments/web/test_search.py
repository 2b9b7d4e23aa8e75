"""What merchants look for, they find; and nothing of anybody else."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from payments.models import Charge, Company, Refund
from payments.services.charges import receiving, refunds
from tests.payments import making
from tests.payments.web.test_charges import text


@pytest.fixture
def sold(company: Company) -> Charge:
    """A charge of Bia's that Zeca paid, between others, one of which is another company's of the same words."""
    wanted = {
        "correlation_id": "Order-77",
        "comment": "Mesa 4, 100% café",
        "customer": {"name": "Bia", "taxID": making.BIA},
    }
    for owner in (making.company(), company):
        charge = making.charge(owner, 123_450, **wanted)
        pix = receiving.receive(making.pix(charge, payer_name="Zeca Pagador", payer_tax_id=making.ANA))
        assert pix
    for number in range(3):
        other = making.charge(company, 999, correlation_id=f"other-{number}", customer={"name": "Caio"})
        receiving.receive(making.pix(other, payer_name="Caio", payer_tax_id=""))
    charge.refresh_from_db()
    refund = refunds.request(company, charge, "r", 100, now=charge.paid_at)
    Refund.objects.filter(pk=refund.pk).update(end_to_end_id="D54811417202603021728abcdefghijk")
    return charge


@pytest.mark.parametrize(
    "typed",
    [
        "bia", "zeca", "PAGADOR", "529.982.247-25", "52998224725", "111.444.777-35", "1.234,50", "R$ 1234,50", "order-7",
        "mesa 4", "100% c", "{e2e}", "{txid}", " {e2e} ", "D54811417202603021728abcdefghijk",
        "\ufeff{e2e}", "\u200b529.982.247\u201325", "{txid}\u200b",
    ],
)  # fmt: skip
def test_it_is_found(merchant: Client, sold: Charge, typed: str) -> None:
    pix = sold.received.get()
    typed = typed.format(e2e=pix.end_to_end_id, txid=sold.txid)
    answer = merchant.get("/charges", {"q": typed})
    assert [charge.pk for charge in answer.context["charges"]] == [sold.pk]


@pytest.mark.parametrize(
    "typed", ["nothing", "100%%", "_ia", "1,23", "9" * 40, "'; --", "E" + "0" * 31, "\\", "a" * 255]
)
def test_what_is_not_there_is_not_found(merchant: Client, sold: Charge, typed: str) -> None:
    assert merchant.get("/charges", {"q": typed}).context["charges"] == []


def test_a_pix_of_a_bank_whose_number_has_letters_is_found(merchant: Client, company: Company) -> None:
    charge = making.charge(company)
    receiving.receive(making.pix(charge, end_to_end_id="E1A2B3C4D202603021728abcdefghijk"))
    answer = merchant.get("/charges", {"q": "E1A2B3C4D202603021728abcdefghijk"})
    assert [found.pk for found in answer.context["charges"]] == [charge.pk]


def back(company: Company, value: int, **fields: Any) -> Charge:
    """A charge of R$ 100,00 of which `value` centavos went back, or were asked back."""
    now = timezone.now()
    receiving.receive(making.pix(making.charge(company, 50_000, expires_at=now), paid_at=making.NOW))  # a balance
    charge = making.charge(company, 10_000, created_at=now, expires_at=now)
    receiving.receive(making.pix(charge, paid_at=now))
    charge.refresh_from_db()
    refund = refunds.request(company, charge, f"r{charge.pk}", value, "Faltou <b>um</b> item", now=now)
    Refund.objects.filter(pk=refund.pk).update(**{"status": "CONFIRMED", "resolved_at": now, **fields})
    return charge


@pytest.mark.parametrize(("paid", "state"), [(10_000, "REFUNDED"), (11_000, "PARTLY_REFUNDED"), (9_000, "REFUNDED")])
def test_of_a_charge_with_a_due_date_what_was_paid_counts(
    merchant: Client, company: Company, paid: int, state: str
) -> None:
    """With a fine that is more than its value, with a discount less."""
    charge = back(company, min(paid, 10_000))
    due = {"type": "OVERDUE", "due_date": charge.created_at.date(), "valid_for": 15, "terms": {}, "paid_value": paid}
    Charge.objects.filter(pk=charge.pk).update(**due)
    for other in ("COMPLETED", "PARTLY_REFUNDED", "REFUNDED"):
        found = merchant.get("/charges", {"status": other}).context["charges"]
        assert (charge in found) == (other == state), other
    assert f'data-status="{state}"' in text(merchant, f"/charges/{charge.public_id}")


@pytest.mark.parametrize(
    ("value", "fields", "state", "words", "shoppers"),
    [
        (10_000, {}, "REFUNDED", "Refunded", "Payment refunded"),
        (4_000, {}, "PARTLY_REFUNDED", "Partly refunded", "Payment partly refunded"),
        (4_000, {"status": "IN_PROCESSING", "resolved_at": None}, "COMPLETED", "Paid", "Payment received"),
    ],
)
def test_what_went_back_is_said_everywhere(
    merchant: Client, company: Company, value: int, fields: Any, state: str, words: str, shoppers: str
) -> None:
    charge = back(company, value, **fields)
    row = text(merchant, "/").split(f'id="charge-{charge.public_id}"')[1].split("</li>")[0]
    assert f'data-status="{state}">{words}<' in row
    for other in ("ACTIVE", "COMPLETED", "PARTLY_REFUNDED", "REFUNDED", "EXPIRED"):
        found = merchant.get("/charges", {"status": other}).context["charges"]
        assert (charge in found) == (other == state), other
    page = text(merchant, f"/charges/{charge.public_id}")
    assert f'id="status" data-status="{state}">{words}<' in page
    timeline = page.split('id="timeline"')[1].split("</ol>")[0]
    assert f"R$ {value // 100},00" in timeline.split("Return asked for")[1]
    assert "Faltou &lt;b&gt;um&lt;/b&gt; item" in timeline
    shown = text(merchant, f"/pay/{charge.payment_link_id}")
    assert shoppers in shown
    assert ("went back to the account" in shown) == (state != "COMPLETED")
    assert "Faltou" not in shown, "the reason is the payer's, and others may have the link"
