"""The one box: anything by any of its ids, without reading a table through."""

from __future__ import annotations

import html
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client

from payments.models import (
    Account,
    Application,
    Charge,
    Company,
    Customer,
    Payment,
    PayoutBatch,
    ReceivedPix,
    Refund,
    User,
    WebhookEndpoint,
)
from payments.pix import keys
from payments.selectors import everywhere
from payments.services.charges import receiving
from tests.payments import making
from tests.payments.admin.test_admin import operator, world
from woovi.outbox.models import OutboxEvent

__all__ = ["operator"]
pytestmark = pytest.mark.django_db


def found(text: str) -> set[Any]:
    models = {*everywhere.IDS, *everywhere.PEOPLE, *everywhere.MAIL, Payment, OutboxEvent}
    return {row for group in everywhere.find(text, models) for row in group.rows}


def test_anything_is_found_by_any_of_its_ids_and_by_their_beginning() -> None:
    one, other = world(making.company()), world(making.company())
    charge, received, refund, payment = one[Charge], one[ReceivedPix], one[Refund], one[Payment]
    Refund.objects.filter(pk=refund.pk).update(end_to_end_id="D54811417202603021729abcdefghijk")
    ids: dict[Any, list[Any]] = {
        one[Company]: [one[Company].public_id, str(one[Company].correlation_id)],
        charge: [charge.public_id, charge.correlation_id, charge.txid, str(charge.payment_link_id)],
        received: [received.end_to_end_id, received.public_id],
        refund: [refund.public_id, refund.correlation_id, refund.return_id, "D54811417202603021729abcdefghijk"],
        payment: [payment.public_id, payment.public_id.upper(), payment.correlation_id, payment.end_to_end_id],
        one[PayoutBatch]: [one[PayoutBatch].public_id],
        one[Account]: [one[Account].public_id],
        one[Application]: [one[Application].client_id],
        one[WebhookEndpoint]: [one[WebhookEndpoint].public_id],
        one[OutboxEvent]: [str(one[OutboxEvent].event_id)],
    }
    for row, texts in ids.items():
        for text in texts:
            assert row in found(f"  {text} "), (row, text)
            assert not {*other.values()} & found(text), text
    for row, text in ((charge, charge.txid), (received, received.end_to_end_id), (payment, payment.public_id)):
        assert row in found(text[:-3])
        assert row not in found(text[1:]), "only the beginning"
    assert found(charge.txid[: everywhere.SHORTEST - 1]) == set()


@pytest.mark.parametrize("typed", [making.ANA, keys.format_tax_id(making.ANA)])
def test_people_are_found_by_their_cpf_with_or_without_punctuation(typed: str) -> None:
    shop = making.company()
    customer = Customer.objects.create(company=shop, name="Ana", tax_id=making.ANA, email="Ana@Exemplo.com")
    paid = receiving.receive(making.pix(pix_key=shop.pix_key, payer_tax_id=making.ANA))
    receiving.receive(making.pix(pix_key=shop.pix_key, payer_tax_id=making.BIA))
    assert found(typed) == {customer, paid}
    assert found("Ana@Exemplo.com") == {customer}
    assert shop in found(keys.format_tax_id(shop.tax_id))
    assert found(shop.pix_key) == {shop}
    person = User.objects.create_user("bia@example.com", company=shop)
    assert found("Bia@Example.com") == {person}


@pytest.mark.parametrize("odd", ["", " ", "a\0b", "'; --", "%%%%%%%", "______", "x" * 3000, "12345", "@"])
def test_odd_texts_find_nothing_and_do_no_harm(operator: Client, odd: str) -> None:
    world(making.company())
    assert found(odd) == set()
    assert operator.get("/admin/search/", {"q": odd}).status_code == 200


def scans(rows: Any) -> str:
    """How PostgreSQL reads these rows by an index, if there is one that serves the condition.

    Nothing else is left to it: on small tables it would read all of one, or walk through a whole index. Nor does it know
    what ANALYZE, which runs whenever the server likes, has found in these tables: it plans as for new ones.
    """
    with connection.cursor() as cursor:
        cursor.execute("""
            UPDATE pg_class SET reltuples = -1, relpages = 0
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')""")
        cursor.execute(
            "DELETE FROM pg_statistic WHERE starelid = ANY (SELECT oid FROM pg_class WHERE relname ~ '^payments_')"
        )
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off")
        cursor.execute("SET LOCAL enable_indexonlyscan = off")
        plan: str = rows[: everywhere.MOST].explain()
    return plan


@pytest.mark.parametrize(
    "text",
    ["69a5b0c1d2e3f4a5b6c7d8e9", "69a5b0c1", making.ANA, "ana@exemplo.com", "0b9a0a2e-6a3f-4c39-9f0c-2a3b4c5d6e7f"],
)
def test_no_look_up_reads_a_table_through(text: str) -> None:
    world(making.company())
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    looked_up = list(everywhere.lookups(text))
    assert len(looked_up) >= 3
    for rows in looked_up:
        plan = scans(rows.order_by())
        assert f"Bitmap Heap Scan on {rows.model._meta.db_table}" in plan, plan
        assert plan.count("Index Cond") >= plan.count("Bitmap Index Scan"), plan


def test_control_a_look_up_without_an_index_is_seen() -> None:
    world(making.company())
    assert "Bitmap Heap Scan on payments_charge" not in scans(Charge.objects.filter(comment="x"))


def test_the_page_shows_only_what_the_operator_may_see(operator: Client) -> None:
    one = world(making.company())
    text = one[Charge].txid
    page = html.unescape(operator.get("/admin/search/", {"q": text}).content.decode())
    assert f'href="/admin/payments/charge/{one[Charge].pk}/change/"' in page
    assert f'value="{text}"' in page
    assert 'action="/admin/search/"' in operator.get("/admin/payments/charge/").content.decode(), "on each page"
    clerk = User.objects.create_user("clerk@example.com", "x", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_refund"))
    reader = Client()
    reader.force_login(clerk)
    assert f"/admin/payments/charge/{one[Charge].pk}" not in reader.get("/admin/search/", {"q": text}).content.decode()
    assert f"/refund/{one[Refund].pk}" in reader.get("/admin/search/", {"q": one[Refund].return_id}).content.decode()
    assert Client().get("/admin/search/", {"q": text}).status_code == 302
    assert not LogEntry.objects.filter(user=clerk).exists()
