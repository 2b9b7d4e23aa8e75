"""Another company's id gives nothing: in every query and every mutation that takes one. Subscriptions: tests/realtime."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from payments.graphql.schema import schema
from payments.models import Charge, Payment, PayoutBatch, Refund, User
from payments.services.charges import receiving, refunds
from tests.payments import making
from tests.payments.graphql.conftest import Merchant, person
from tests.payments.test_limits import limit  # noqa: F401 (a fixture)

pytestmark = pytest.mark.django_db

QUERIES = {
    "charge": "{ charge(id: $id) { id } }",
    "refund": "{ refund(id: $id) { id } }",
    "transaction": "{ transaction(id: $id) { id } }",
    "payment": "{ payment(id: $id) { id } }",
    "batch": "{ batch(id: $id) { id } }",
    "node": "{ node(id: $id) { id } }",
}
LISTS = {
    "charges": "{ charges { totalCount } }",
    "refunds": "{ refunds { totalCount } }",
    "transactions": "{ transactions { totalCount } }",
    "payments": "{ payments { totalCount } }",
    "batches": "{ batches { totalCount } }",
}
MUTATIONS = {
    "refundCharge": 'mutation M($id: ID!) { refundCharge(input: { charge: $id, correlationID: "x" }) { id } }',
    "approvePayment": "mutation M($id: String!) { approvePayment(correlationID: $id) { id } }",
    "approveBatch": 'mutation M($id: ID!) { approveBatch(id: $id, signature: "x") { id } }',
    "pauseBatch": "mutation M($id: ID!) { pauseBatch(id: $id) { id } }",
    "resumeBatch": "mutation M($id: ID!) { resumeBatch(id: $id) { id } }",
    "cancelBatch": "mutation M($id: ID!) { cancelBatch(id: $id) { id } }",
}
OWN = {"company", "cursor", "balance", "createCharge", "createPayment"}  # take no id


def theirs(rival: Merchant) -> list[str]:
    """Every id of everything that a company has."""
    charge = making.charge(rival.company, 1000)
    receiving.receive(making.pix(charge), making.NOW)
    refunds.request(rival.company, Charge.objects.get(), "volta", 100, now=making.NOW)
    maker = User.objects.create_user("maker@example.com", company=rival.company)
    PayoutBatch.objects.create(company=rival.company, name="folha", maker=maker, status="RUNNING", rows=1)
    Payment.objects.create(
        company=rival.company, correlation_id="p", type="PIX_KEY", value=1, pix_key="a@b.c", end_to_end_id="E1"
    )
    found = []
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
        found += [getattr(row, name) for name in known if getattr(row, name, "")]
        found.append(base64.b64encode(f"{kind}:{row.public_id}".encode()).decode())
    return [str(each) for each in found]


def test_another_companys_id_gives_nothing(
    shop: Merchant,
    rival: Merchant,
    limit: Callable[..., None],  # noqa: F811
) -> None:
    limit("api.lookups", 1_000_000)
    ids = theirs(rival)
    someone = person(shop.company)
    hers = person(rival.company)
    for name, document in QUERIES.items():
        asked = f"query Q($id: ID!) {document}"
        assert any(rival.ask(asked, id=each)[name] for each in ids), f"a control: {name} finds its own"
        for each in ids:
            for asking in (shop, someone):
                assert asking.ask(asked, id=each)[name] is None, (name, each)
        assert hers.ask(asked, id=ids[0]).keys() == {name}
    for name, document in LISTS.items():
        assert rival.ask(document)[name]["totalCount"] > 0
        assert shop.ask(document)[name]["totalCount"] == 0
    for name, document in MUTATIONS.items():
        asking = someone if name.endswith("Batch") else shop
        assert {asking.refused(document, id=each)["code"] for each in ids} == {"NOT_FOUND"}, name
    assert PayoutBatch.objects.get().status == "RUNNING"
    assert Payment.objects.get().status == "CREATED"


def test_every_field_is_tried() -> None:
    roots = {*schema.query_type.fields, *schema.mutation_type.fields}  # type: ignore[union-attr]
    assert roots == {*QUERIES, *LISTS, *MUTATIONS, *OWN}
