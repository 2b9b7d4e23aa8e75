"""What is shown, in pages that stay in place, by a number of statements that does not grow with the rows."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from payments.models import Charge, Payment, PayoutBatch, PayoutProblem, Refund, User
from payments.services.charges import receiving, refunds
from tests.payments import making
from tests.payments.graphql.conftest import Merchant
from woovi import outbox
from woovi.outbox import claims

pytestmark = pytest.mark.django_db

CUSTOMER = {"name": "Ana", "taxID": making.ANA, "email": "ana@example.com"}
CHARGE = """query Q($id: ID!) { charge(id: $id) {
  id correlationID value fee status state comment customer additionalInfo { key value } paidAt createdAt refunded left
  payer { name taxID } received { endToEndId outcome } refunds { correlationID value status charge { correlationID } }
} }"""


def paid(shop: Merchant, now: datetime = making.NOW, **fields: object) -> Charge:
    charge = making.charge(shop.company, 1000, **fields)
    receiving.receive(making.pix(charge), now)
    charge.refresh_from_db()
    return charge


def test_a_charge_is_shown_as_the_api_and_the_page_have_it(shop: Merchant) -> None:
    charge = paid(
        shop,
        correlation_id="pedido-1",
        customer=CUSTOMER,
        additional_info=[{"key": "Cor", "value": "Azul"}],
        comment="x",
    )
    refunds.request(shop.company, charge, "volta-1", 400, now=making.NOW)
    Refund.objects.update(status="CONFIRMED")
    global_id = base64.b64encode(f"Charge:{charge.public_id}".encode()).decode()
    shown = shop.ask(CHARGE, id="pedido-1")["charge"]
    assert shown["received"].pop()["outcome"] == "SETTLED"
    assert shown == {
        "id": global_id, "correlationID": "pedido-1", "value": 1000, "fee": 50, "status": "COMPLETED",
        "state": "PARTLY_REFUNDED", "comment": "x", "customer": {**CUSTOMER, "taxID": {"taxID": making.ANA, "type": "BR:CPF"}},
        "additionalInfo": [{"key": "Cor", "value": "Azul"}], "paidAt": "2026-03-02T17:29:51.000Z",
        "createdAt": "2026-03-02T17:28:51.000Z", "refunded": 400, "left": 600, "payer": {"name": "Bia", "taxID": making.BIA},
        "received": [],
        "refunds": [
            {"correlationID": "volta-1", "value": 400, "status": "CONFIRMED", "charge": {"correlationID": "pedido-1"}}
        ],
    }  # fmt: skip
    for other in (global_id, charge.public_id, charge.txid):
        assert shop.ask(CHARGE, id=other)["charge"]["id"] == global_id


def test_the_company_its_balance_and_the_cursor_of_what_is_shown(shop: Merchant) -> None:
    paid(shop)
    outbox.write("x", str(shop.company.pk), {})
    claims.claim(100, 60)
    shown = shop.ask("{ company { officialName taxID } cursor balance { total available blocked } }")
    assert shown["company"] == {"officialName": shop.company.official_name, "taxID": shop.company.tax_id}
    assert shown["balance"] == {"total": 950, "available": 950, "blocked": 0}
    assert shown["cursor"] > 0
    assert shop.ask("query { ...A } fragment A on Query { cursor }") == {"cursor": shown["cursor"]}


LISTS = {
    "charges": "charges(first: $first, after: $after) { totalCount edges { node { correlationID } cursor } pageInfo { hasNextPage hasPreviousPage endCursor startCursor } }",
    "refunds": "refunds(first: $first, after: $after) { totalCount edges { node { correlationID } cursor } pageInfo { hasNextPage hasPreviousPage endCursor startCursor } }",
    "transactions": "transactions(first: $first, after: $after) { totalCount edges { node { id } cursor } pageInfo { hasNextPage hasPreviousPage endCursor startCursor } }",
    "payments": "payments(first: $first, after: $after) { totalCount edges { node { correlationID } cursor } pageInfo { hasNextPage hasPreviousPage endCursor startCursor } }",
    "batches": "batches(first: $first, after: $after) { totalCount edges { node { name } cursor } pageInfo { hasNextPage hasPreviousPage endCursor startCursor } }",
}


def fill(shop: Merchant, count: int, now: datetime = making.NOW) -> None:
    """`count` paid charges with a refund each, at the same moment three by three; payments; batches with a problem each."""
    maker, _ = User.objects.get_or_create(email="maker@example.com", company=shop.company)
    for number in range(count):
        charge = paid(shop, now, created_at=now + timedelta(seconds=number // 3))
        refunds.request(shop.company, charge, f"volta-{charge.pk}", 100, now=now)
        batch = PayoutBatch.objects.create(
            company=shop.company, name=f"b{number}", maker=maker, status="RUNNING", rows=3
        )
        PayoutProblem.objects.create(batch=batch, line=1, column="valor", reason="x")
        for line in (None, 1):
            Payment.objects.create(
                company=shop.company, correlation_id=f"p{batch.pk}-{line}", type="PIX_KEY", value=1, pix_key="a@b.c",
                batch=batch if line else None, line=line, round=line, status="PROCESSING" if line else "CREATED",
            )  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
def test_pages_of_a_list_have_each_row_once_while_new_ones_come_in(shop: Merchant, name: str) -> None:
    fill(shop, 4)
    document = f"query Q($first: Int!, $after: String) {{ {LISTS[name]} }}"
    whole = shop.ask(document, first=100)[name]
    assert (whole["totalCount"], whole["pageInfo"]["hasNextPage"]) == (len(whole["edges"]), False)
    assert whole["totalCount"] >= 4
    seen, after = [], None
    for turn in range(100):
        page = shop.ask(document, first=3, after=after)[name]
        seen += page["edges"]
        assert page["pageInfo"]["hasPreviousPage"] is bool(turn)
        assert page["pageInfo"]["startCursor"] == page["edges"][0]["cursor"]
        after = page["pageInfo"]["endCursor"]
        if turn == 0:
            fill(shop, 1, making.NOW + timedelta(hours=1))
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert seen == whole["edges"]


def test_lists_are_filtered_as_pages_and_api_filter(shop: Merchant) -> None:
    first, second = paid(shop, correlation_id="a"), making.charge(shop.company, correlation_id="b", comment="Caneca")
    receiving.receive(making.pix(pix_key=shop.company.pix_key, value=10_000))
    refunds.request(shop.company, first, "volta", 1000, now=making.NOW)
    Refund.objects.update(status="CONFIRMED")

    def names(wanted: str) -> list[str]:
        edges = shop.ask(f"{{ charges({wanted}) {{ edges {{ node {{ correlationID }} }} }} }}")["charges"]["edges"]
        return [edge["node"]["correlationID"] for edge in edges]

    assert names("state: REFUNDED") == ["a"]
    assert names("state: ACTIVE") == ["b"]
    assert names("state: COMPLETED") == []
    assert names('text: "caneca"') == ["b"]
    assert names('start: "2030-01-01T00:00:00Z"') == []
    assert names('end: "2030-01-01"') == ["b", "a"]
    kinds = "{ transactions(%s) { edges { node { type charge { correlationID } } } } }"
    assert len(shop.ask(kinds % "type: REFUND")["transactions"]["edges"]) == 1
    assert len(shop.ask(kinds % 'charge: "a"')["transactions"]["edges"]) == 2
    assert shop.ask(kinds % f'charge: "{second.txid}"')["transactions"]["edges"] == []


DEEP = {
    "charges": """{ charges(first: 50) { totalCount edges { node { state payer { name } received { outcome }
        refunds(first: 3) { status pix { payer { name } } charge { state payer { name } refunds { id } } } } } } }""",
    "refunds": "{ refunds(first: 50) { edges { node { pix { payer { name } } charge { state refunds { id } received { value } } } } } }",
    "transactions": "{ transactions(first: 50) { edges { node { charge { state payer { name } refunds { id } } payer { name } } } } }",
    "payments": "{ payments(first: 50) { edges { node { destination batch { progress { waiting } failedTotal problems { reason } } } } } }",
    "batches": "{ batches(first: 50) { edges { node { progress { waiting unknown } failedTotal problems { reason } } } } }",
}  # fmt: skip


def test_the_number_of_statements_does_not_grow_with_the_rows(shop: Merchant) -> None:
    def statements() -> dict[str, tuple[int, int]]:
        found = {}
        for name, document in DEEP.items():
            with CaptureQueriesContext(
                connection,
            ) as seen:
                rows = len(shop.ask(document)[name]["edges"])
            found[name] = rows, len(seen)
        return found

    fill(shop, 1)
    statements()  # the first request of a key writes when it was used
    few = statements()
    fill(shop, 49)
    many = statements()
    assert {name: rows for name, (rows, _) in many.items()} == dict.fromkeys(DEEP, 50)
    # Less, where the fifty happen to be of one kind.
    assert [name for name in DEEP if many[name][1] > few[name][1]] == []


def test_a_batchs_rows_are_counted(shop: Merchant) -> None:
    fill(shop, 1)
    (edge,) = shop.ask(DEEP["batches"])["batches"]["edges"]
    assert edge["node"] == {"progress": {"waiting": 2, "unknown": 1}, "failedTotal": 0, "problems": [{"reason": "x"}]}


def test_a_node_is_found_by_its_global_id_alone(shop: Merchant) -> None:
    fill(shop, 1)
    ids = shop.ask(
        """{ company { id } charges { edges { node { id } } } refunds { edges { node { id } } } payments { edges { node { id } } }
        batches { edges { node { id } } } transactions { edges { node { id } } } }"""
    )
    known = [ids.pop("company"), *(found["edges"][0]["node"] for found in ids.values())]
    for node in known:
        kind = base64.b64decode(node["id"]).decode().partition(":")[0]
        asked = "query Q($id: ID!) { node(id: $id) { __typename id } }"
        assert shop.ask(asked, id=node["id"])["node"] == {"__typename": kind, "id": node["id"]}
    for wrong in ("", "x", "Q2hhcmdlOg==", Charge.objects.get().public_id, Charge.objects.get().correlation_id):
        assert shop.ask("query Q($id: ID!) { node(id: $id) { id } }", id=wrong)["node"] is None


@pytest.mark.parametrize(
    ("document", "message", "field"),
    [
        ("{ charges(first: 0) { totalCount } }", "first must be from 1 to 100", "first"),
        ("{ payments(first: 101) { totalCount } }", "first must be from 1 to 100", "first"),
        ('{ transactions(after: "x") { totalCount } }', "after is no cursor of this list", "after"),
        ('{ refunds(after: "MjAyNi0wMy0wMiA5OTk5OTk5OTk5OTk5OTk5OTk5OTkgeA==") { totalCount } }', "after is no cursor of this list", "after"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named(shop: Merchant, document: str, message: str, field: str) -> None:
    assert shop.refused(document) == {"message": message, "code": "INVALID", "field": field}
