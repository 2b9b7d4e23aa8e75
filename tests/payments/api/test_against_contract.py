"""Our generated OpenAPI beside Woovi's: every difference is listed with its reason, and no reason outlives its difference.

Each answer that a test of this folder gets through `Merchant` is checked against the contract too (conftest).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from tests.payments.api import woovi_contract
from tests.payments.api.conftest import Merchant
from tests.payments.api.schema import SCHEMA
from tests.payments.api.woovi_contract import DIFFERENCES, OPERATIONS, bare, misfits, shape

OURS = {
    f"{method.upper()} {bare(path)}": operation
    for path, methods in SCHEMA["paths"].items()
    for method, operation in methods.items()
}
OF_VALUES = ("in place of", "is not listed", "absent")  # differences of values, which only answers show


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Our schema without references, and without null as an alternative."""
    if "$ref" in schema:
        return resolved(SCHEMA["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if options := [each for each in schema.get("anyOf", schema.get("allOf", ())) if each.get("type") != "null"]:
        found = [resolved(each) for each in options]
        merged = {name: each for one in found for name, each in one.get("properties", {}).items()}
        return {**found[0], "properties": merged} if merged else found[0]
    return schema


def named(schema: dict[str, Any]) -> str:
    """The type of a schema without fields, as the contract's file writes it."""
    if "enum" in schema or "const" in schema:
        return "|".join(map(str, schema.get("enum", [schema.get("const")])))
    return {"integer": "number"}.get(kind := schema.get("type", "any"), kind)


def compared(theirs: Any, ours: dict[str, Any], place: str) -> Iterator[str]:
    """The differences between a shape of the contract's and a schema of ours."""
    if isinstance(theirs, str) and theirs.startswith("#"):
        place = theirs[1:]
    theirs, ours = shape(theirs), resolved(ours)
    if isinstance(theirs, list):
        yield from compared(theirs[0], ours.get("items", {}), f"{place}[]")
    elif isinstance(theirs, dict):
        fields = ours.get("properties", {})
        for name in sorted(theirs.keys() | fields.keys()):
            if name not in fields:
                yield f"{place}.{name}: theirs alone" if fields else f"{place}: its fields are not described"
            elif name not in theirs:
                yield f"{place}.{name}: ours alone"
            else:
                yield from compared(theirs[name], fields[name], f"{place}.{name}")
    elif "any" not in {theirs, named(ours)} and not _same(theirs, named(ours)):
        yield f"{place}: {_short(theirs)}, here {_short(named(ours))}"


def _same(theirs: str, ours: str) -> bool:
    """Whether both name one type; text and an enumeration of texts are one."""
    if "|" in theirs and "|" in ours:
        return set(theirs.split("|")) == set(ours.split("|"))
    return theirs == ours or (
        theirs == "string" and ours not in woovi_contract.TYPES and ours not in {"array", "object"}
    )


def _short(text: str) -> str:
    return text if len(text) < 100 else f"{text[:97]}..."


def answer_of(operation: dict[str, Any]) -> dict[str, Any]:
    """Our schema of what an operation answers where all is well."""
    done = min(operation["responses"])
    schema: dict[str, Any] = operation["responses"][done]["content"]["application/json"]["schema"]
    return schema


def differences() -> Iterator[str]:
    for name, wanted in OPERATIONS.items():
        method, _, path = name.partition(" ")
        ours = OURS.get(f"{method} {bare(path)}")
        if ours is None:
            yield f"{name}: not served"
            continue
        served = {int(status) for status in ours["responses"]}
        for status in served - set(wanted["statuses"]):
            yield f"{name} answers {status}" if status == 404 else f"status {status}"
        yield from (f"{name}: never answers {status}" for status in set(wanted["statuses"]) - served)
        query = {each["name"] for each in ours.get("parameters", []) if each["in"] == "query"}
        yield from (f"{name} ?{each}: theirs alone" for each in set(wanted["query"]) - query)
        yield from (f"?{each}: ours alone" for each in query - set(wanted["query"]))
        if "body" in wanted:
            body = ours["requestBody"]["content"]["application/json"]["schema"]
            yield from compared(wanted["body"], body, f"{name} body")
        if "answer" in wanted:
            yield from compared(wanted["answer"], answer_of(ours), name)


def test_every_difference_has_a_reason_and_every_reason_a_difference() -> None:
    explained = {each for each in DIFFERENCES if not any(word in each for word in OF_VALUES)}
    found = set(differences())
    assert found - explained == set()
    assert explained - found == set()


def test_what_the_contract_needs_is_never_left_out() -> None:
    """Its own schemas require nothing. What its page lists for an object is required of ours."""
    for name, wanted in OPERATIONS.items():
        method, _, path = name.partition(" ")
        fields = wanted.get("answer")
        answer = answer_of(OURS[f"{method} {bare(path)}"]) if fields else {}
        for field, each in fields.items() if isinstance(fields, dict) else ():
            ours = resolved(answer)["properties"][field]
            of = each[0] if isinstance(each, list) else each
            ours = resolved(ours).get("items", ours) if isinstance(each, list) else ours
            if isinstance(of, str) and of[1:] in woovi_contract.REQUIRED:
                assert set(woovi_contract.REQUIRED[of[1:]]) <= set(resolved(ours)["required"]), (name, field)


@pytest.mark.parametrize(
    ("value", "wanted", "wrong"),
    [
        ({"a": 1, "more": None}, {"a": "number"}, []),
        ({"a": "1"}, {"a": "number"}, ["x.a: str in place of number"]),
        ({"a": True}, {"a": "number"}, ["x.a: bool in place of number"]),
        ({"a": None}, {"a": "string"}, ["x.a: NoneType in place of string"]),
        ([{"a": "C"}], [{"a": "A|B"}], ["x[].a: C is not listed"]),
        ({"a": []}, {"a": {}}, ["x.a: list in place of an object or array"]),
    ],
)
def test_the_check_itself_finds_what_is_wrong(value: Any, wanted: Any, wrong: list[str]) -> None:
    assert list(misfits(value, wanted, "x")) == wrong


OUT = ("subscriptions", "cashback-fidelity", "invoice", "dispute", "stablecoin/quote", "boleto/validate", "kyc/onboarding",
       "partner/company", "anticipation", "installments/1", "funds-recovery", "receipt/pix/E1", "nothing/at/all")  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("path", OUT)
def test_what_is_not_served_is_404_in_json(shop: Merchant, path: str) -> None:
    """Also without an AppID: whether a path exists is no secret."""
    for answer in (
        shop.get(f"/api/v1/{path}"),
        shop.post(f"/api/v1/{path}/", {}),
        Client().delete(f"/api/openpix/v1/{path}"),
    ):
        assert (answer.status_code, answer.json()) == (404, {"error": "Not Found"})
