"""Woovi's published contract as `contract.json` has it: what the operations of the core take and answer.

The file holds facts of the published description, without its texts. Its shapes: a dict is an object, a list of one an array,
a text a type, `a|b` an enumeration, `#X` the shape X of the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CONTRACT = json.loads(Path(__file__).with_name("contract.json").read_text())
OPERATIONS: dict[str, Any] = CONTRACT["operations"]
REQUIRED: dict[str, list[str]] = CONTRACT["required"]
DIFFERENCES: dict[str, str] = json.loads(Path(__file__).with_name("contract_differences.json").read_text())
TYPES: dict[str, tuple[type, ...]] = {"string": (str,), "number": (int, float), "boolean": (bool,)}


def bare(path: str) -> str:
    """A path with every parameter named alike, so that both sides' paths can be compared."""
    return re.sub(r"\{\w+\}", "{}", path.rstrip("/"))


def operation(method: str, path: str) -> tuple[str, Any] | None:
    """The contract's operation that a request is for, with its name."""
    path = path.partition("?")[0].replace("/api/openpix/v1/", "/api/v1/").rstrip("/")
    exact = sorted(OPERATIONS, key=lambda name: name.count("{"))  # /payment/approve before /payment/{id}
    for name in exact:
        verb, _, template = name.partition(" ")
        if verb == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            return name, OPERATIONS[name]
    return None


def shape(found: Any) -> Any:
    """The shape behind a `#X`."""
    return CONTRACT["objects"][found[1:]] if isinstance(found, str) and found.startswith("#") else found


def misfits(value: Any, wanted: Any, place: str) -> Iterator[str]:
    """Where a JSON value is not as the contract has it. More fields than the contract's are allowed."""
    name = wanted[1:] if isinstance(wanted, str) and wanted.startswith("#") else ""
    for field in REQUIRED.get(name, ()):
        if field not in value:
            yield f"{place}.{field}: absent"
    wanted = shape(wanted)
    if isinstance(wanted, dict) and isinstance(value, dict):
        for field, each in value.items():
            if field in wanted:
                yield from misfits(each, wanted[field], f"{name or place}.{field}")
    elif isinstance(wanted, list) and isinstance(value, list):
        for each in value:
            yield from misfits(each, wanted[0], f"{place}[]")
    elif isinstance(wanted, dict | list):
        yield f"{place}: {type(value).__name__} in place of an object or array"
    elif wanted in TYPES and (not isinstance(value, TYPES[wanted]) or isinstance(value, bool) != (wanted == "boolean")):
        yield f"{place}: {type(value).__name__} in place of {wanted}"
    elif "|" in wanted and value not in wanted.split("|"):
        yield f"{place}: {value} is not listed"


def check(method: str, path: str, answer: Any) -> None:
    """Assert that an answer is as the contract has it, but for the differences that have a reason."""
    found = operation(method, path)
    if found is None:
        return
    name, wanted = found
    status = answer.status_code
    if status not in wanted["statuses"]:
        known = {f"status {status}", f"{name} answers {status}"} & DIFFERENCES.keys()
        assert known, f"{name} answers {status}: {answer.content!r}"
    elif status == 400:
        assert isinstance(answer.json()["error"], str), answer.content
    elif status < 300 and "answer" in wanted:
        wrong = [each for each in misfits(answer.json(), wanted["answer"], name) if each not in DIFFERENCES]
        assert not wrong, wrong
