"""Another company's id gives nothing: in every query and every mutation that takes one. Subscriptions: tests/realtime."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest

from payments.graphql.schema import schema
from payments.models import Charge, Payment, PayoutBatch, Refund, User
from payments.services.charges import receiving, refunds
from tests.payments import making
from tests.payments.graphql.conftest import Merchant, person
from tests.payments.test_limits import limit  # noqa: F401 (a fixture)

pytestmark = pytest.mark.django_db

QUERIES = ("charge", "refund", "transaction", "payment", "batch", "node")
LISTS = {
    "charges": "{ charges { totalCount } }",
    "refunds": "{ refunds { totalCount } }",
    "transactions": "{ transactions { totalCount } }",
    "payments": "{ payments { totalCount } }",
    "batches": "{ batches { totalCount } }",
}
# With the kind of id that each takes, and who may do it.
MUTATIONS = {
    "refundCharge": (
        'mutation M($id: ID!) { refundCharge(input: { charge: $id, correlationID: "x" }) { id } }',
        "Charge",
    ),
    "approvePayment": ("mutation M($id: String!) { approvePayment(correlationID: $id) { id } }", "Payment"),
    "approveBatch": ('mutation M($id: ID!) { approveBatch(id: $id, signature: "x", code: "x") { id } }', "Batch"),
    "submitBatch": ("mutation M($id: ID!) { submitBatch(id: $id) { id } }", "Batch"),
    "retryBatch": ("mutation M($id: ID!) { retryBatch(id: $id, count: 1, total: 1) { id } }", "Batch"),
    "pauseBatch": ("mutation M($id: ID!) { pauseBatch(id: $id) { id } }", "Batch"),
    "resumeBatch": ("mutation M($id: ID!) { resumeBatch(id: $id) { id } }", "Batch"),
    "cancelBatch": ("mutation M($id: ID!) { cancelBatch(id: $id) { id } }", "Batch"),
}
OWN = {"company", "cursor", "balance", "createCharge", "createPayment", "uploadBatch"}  # take no id


def theirs(rival: Merchant) -> dict[str, list[str]]:
    """Every id of everything that a company has, by kind."""
    charge = making.charge(rival.company, 1000)
    receiving.receive(making.pix(charge), making.NOW)
    refunds.request(rival.company, Charge.objects.get(), "volta", 100, now=making.NOW)
    maker = User.objects.create_user("maker@example.com", company=rival.company)
    PayoutBatch.objects.create(company=rival.company, name="folha", maker=maker, status="RUNNING", rows=1)
    Payment.objects.create(
        company=rival.company, correlation_id="p", type="PIX_KEY", value=1, pix_key="a@b.c", end_to_end_id="E1"
    )
    found: dict[str, list[str]] = {}
    for kind, row in (
        ("Charge", Charge.objects.get()),
        ("Refund", Refund.objects.get()),
        ("PixTransaction", Refund.objects.get()),
        ("PixTransaction", Charge.objects.get().received.get()),
        ("Payment", Payment.objects.get()),
        ("Batch", PayoutBatch.objects.get()),
        ("Company", rival.company),
    ):
        known = ("public_id", "correlation_id", "txid", "end_to_end_id", "return_id")
        ids = [str(getattr(row, name)) for name in known if getattr(row, name, "")]
        found.setdefault(kind, []).extend([*ids, base64.b64encode(f"{kind}:{row.public_id}".encode()).decode()])
    return found


def found_by(asking: Merchant, field: str, ids: list[str]) -> list[object]:
    """What a query's field finds for each id, ten of them in a document."""
    found: list[object] = []
    for first in range(0, len(ids), 10):
        fields = [f"a{n}: {field}(id: {json.dumps(each)}) {{ id }}" for n, each in enumerate(ids[first : first + 10])]
        found += asking.ask(f"{{ {' '.join(fields)} }}").values()
    return found


def test_another_companys_id_gives_nothing(
    shop: Merchant,
    rival: Merchant,
    limit: Callable[..., None],  # noqa: F811
) -> None:
    limit("api.lookups", 1_000_000)
    ids = theirs(rival)
    someone = person(shop.company)
    for name in QUERIES:
        everything = [each for some in ids.values() for each in some]
        assert any(found_by(rival, name, everything)), f"a control: {name} finds its own"
        for asking in (shop, someone):
            assert not any(found_by(asking, name, everything)), name
    for name, document in LISTS.items():
        assert rival.ask(document)[name]["totalCount"] > 0
        assert shop.ask(document)[name]["totalCount"] == 0
    for document, kind in MUTATIONS.values():
        asking = someone if kind == "Batch" else shop
        assert {asking.refused(document, id=each)["code"] for each in ids[kind]} == {"NOT_FOUND"}, document
    assert PayoutBatch.objects.get().status == "RUNNING"
    assert Payment.objects.get().status == "CREATED"


def test_every_field_is_tried() -> None:
    roots = {*schema.query_type.fields, *schema.mutation_type.fields}  # type: ignore[union-attr]
    assert roots == {*QUERIES, *LISTS, *MUTATIONS, *OWN}
