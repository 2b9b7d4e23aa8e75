"""Which documents run: known ones, and those that are not too large. And the schema's file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from graphql import get_introspection_query, parse, validate

from payments.graphql import bounds, documents
from payments.graphql.schema import FILE, schema, text
from tests.payments import making
from tests.payments.graphql.conftest import Merchant, program
from tests.payments.test_limits import limit  # noqa: F401 (a fixture)

pytestmark = pytest.mark.django_db


def test_the_schemas_file_is_up_to_date() -> None:
    assert FILE.read_text() == text(), (
        "run: python manage.py shell -c 'from payments.graphql import schema; schema.write()'"
    )


@pytest.mark.parametrize("name", sorted(path.name for path in documents.FOLDER.iterdir()))
def test_a_known_document_fits_the_schema(name: str) -> None:
    assert validate(schema, parse((documents.FOLDER / name).read_text())) == []


def test_only_known_documents_run_where_no_others_are_wanted(shop: Merchant, settings: Any) -> None:
    known = (documents.FOLDER / "balance.graphql").read_text()
    digest = hashlib.sha256(known.encode()).hexdigest()
    settings.GRAPHQL_DOCUMENTS = "known"
    for body in (
        {"query": known},
        {"documentId": f"sha256:{digest}"},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest}}},
    ):
        assert shop.post(body)["data"]["balance"]["total"] == 0
    assert shop.refused("{ balance { total } }")["code"] == "UNKNOWN_DOCUMENT"
    (error,) = shop.post({"documentId": "sha256:" + "0" * 64})["errors"]
    assert error["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
    settings.GRAPHQL_DOCUMENTS = "any"
    assert shop.ask("{ balance { total } }") == {"balance": {"total": 0}}


def test_production_tells_nothing_of_the_schema(shop: Merchant, settings: Any) -> None:
    asked = "{ __schema { types { name } } __type(name: %s) { name } }"
    assert shop.ask(asked % '"Charge"')["__type"] == {"name": "Charge"}
    assert "Did you mean" in shop.refused("{ chrge(id: 1) { id } }")["message"]
    settings.PRODUCTION = True
    assert "introspection has been disabled" in str(shop.send(asked % '"Refund"'))
    assert "Did you mean" not in shop.refused("{ chargs { totalCount } }")["message"]


def test_tools_may_read_the_schema_in_development(shop: Merchant) -> None:
    assert shop.ask(get_introspection_query())["__schema"]["queryType"]["name"] == "Query"


def nested(levels: int) -> str:
    """charge, refunds, charge, refunds, …"""
    return "id" if levels == 0 else f"refunds(first: 1) {{ charge {{ {nested(levels - 1)} }} }}"


def doubled(times: int) -> str:
    """Fragments of which each has the one before twice: 2^times fields."""
    parts = [f"fragment F{n} on Charge {{ a{n}: id ...F{n - 1} ...F{n - 1} }}" for n in range(1, times)]
    return f"{{ charge(id: 1) {{ ...F{times - 1} ...F{times - 1} }} }} fragment F0 on Charge {{ id value }} {' '.join(parts)}"


COMPANIES = " ".join(f"a{n}: company {{ id }}" for n in range(bounds.ROOTS + 1))


@pytest.mark.parametrize(
    ("document", "limit_"),
    [
        (f"{{ charge(id: 1) {{ {nested(5)} }} }}", bounds.DEPTH),
        ("{ " + COMPANIES + " }", bounds.ROOTS),
        ("query { ...R } fragment R on Query { " + COMPANIES + " }", bounds.ROOTS),
        ("mutation { " + COMPANIES.replace("company", 'pauseBatch(id: "x")') + " }", bounds.ROOTS),
        ("{ company { " + " ".join(f"a{n}: id" for n in range(bounds.BREADTH)) + " } }", bounds.BREADTH),
        (doubled(40), bounds.BREADTH),
        ("{ cursor } fragment Unused on Charge { " + "id " * (bounds.BREADTH + 1) + "}", bounds.BREADTH),
        ("{ charges(first: 100) { edges { node { refunds(first: 100) { id } } } } }", bounds.COST),
        (
            "query Q($n: Int! = 100) { charges(first: $n) { edges { node { refunds(first: $n) { id } } } } }",
            bounds.COST,
        ),
        ("{ company { id } } # " + "x" * bounds.CHARACTERS, bounds.CHARACTERS),
    ],
    ids=[
        "deep",
        "roots",
        "roots in a fragment",
        "mutations",
        "broad",
        "fragments",
        "unused",
        "dear",
        "dear by default",
        "long",
    ],
)
def test_a_document_that_is_too_large_is_refused_before_it_runs(shop: Merchant, document: str, limit_: int) -> None:
    refused = shop.refused(document)
    assert (refused["code"], refused["limit"]) == ("TOO_LARGE", limit_)


def test_the_size_of_a_list_is_that_of_its_variable(shop: Merchant) -> None:
    document = "query Q($n: Int!) { charges(first: $n) { edges { node { refunds(first: $n) { id } } } } }"
    assert shop.refused(document, n=100)["code"] == "TOO_LARGE"
    assert shop.ask(document, n=5) == {"charges": {"edges": []}}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("{ charge(id: 1) { ...A } } fragment A on Charge { ...A }", "within itself"),
        ("{ company { id }", "Syntax Error"),
        ("{ " + "a " * 2000 + "}", "more than 1000 tokens"),
        ("{ company { nothing } }", "Cannot query field"),
        ('{ charge(id: "\\u0000") { id } }', "NUL"),
        ('{ charge(id: "\\u{0}") { id } }', "NUL"),
        ("query A { cursor } query B { cursor }", "operationName"),
        ("fragment A on Charge { id }", "operationName"),
        ("", "query or documentId"),
    ],
)
def test_what_is_no_document_is_refused(shop: Merchant, document: str, words: str) -> None:
    for error in shop.send(document)["errors"]:
        assert error["extensions"]["code"] == "BAD_REQUEST"
        assert words in error["message"]


def test_rows_are_paid_for_before_and_given_back_after(limit: Callable[..., None]) -> None:  # noqa: F811
    limit("api.rows", 12)
    shop = program()
    for _ in range(3):
        making.charge(shop.company)
    document = "{ charges(first: 6) { edges { node { id } } } }"
    assert [shop.post({"query": document}).get("data") is not None for _ in range(4)] == [True, True, True, False]
    assert (shop.answers[-1].status_code, "Retry-After" in shop.answers[-1]) == (429, True)
    assert shop.ask("{ charges(first: 3) { edges { node { id } } } }")


def test_looking_for_what_is_not_there_is_dear(limit: Callable[..., None]) -> None:  # noqa: F811
    limit("api.lookups", 200)
    shop = program()
    ask = "{ " + " ".join(f'a{n}: charge(id: "{n}") {{ id }}' for n in range(6)) + " }"
    assert "errors" not in shop.send(ask)
    refused = [error["extensions"] for error in shop.send(ask)["errors"]]
    assert {error["code"] for error in refused} == {"TOO_MANY_REQUESTS"}
    assert len(refused) == 2
