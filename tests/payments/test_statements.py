"""Statements that two rivals both pass, looked for in all of our code.

Under READ COMMITTED a statement that has waited for a row reads that row anew, and nothing else: not the rows that a
sub-query summed, nor those that a SELECT before a DELETE saw. `id IN (SELECT … LIMIT n FOR UPDATE SKIP LOCKED)` may be
run as a join that asks the sub-query again for each row, and then claims them all: `= ANY(ARRAY(…))`, or a CTE.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PLACES = [
    path
    for folder in ("payments", "woovi", "realtime", "bank_simulator")
    for path in sorted((ROOT / folder).rglob("*"))
]
CLAIMS_ALL = re.compile(r"\bIN\s*\(\s*SELECT\b(?:(?!\)).)*\bSKIP\s+LOCKED", re.I | re.S)
_REST = r"(?:(?!\bRETURNING\b)[^;])*?"  # of one statement
SUMS_OTHERS = re.compile(
    rf"\bUPDATE\s+(?!OF\b)\w+{_REST}\bSET\b{_REST}\(\s*SELECT\b[^;)]*?\b(?:sum|count|max|min|avg)\s*\(", re.I | re.S
)


def texts() -> Iterator[tuple[str, str]]:
    """Every SQL file, and every text in Python that may be SQL."""
    for path in PLACES:
        name = str(path.relative_to(ROOT))
        if path.suffix == ".sql":
            yield name, re.sub(r"--.*", "", path.read_text())
        elif path.suffix == ".py":
            tree = ast.parse(path.read_text())
            found = (n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str))
            yield from ((name, re.sub(r"--.*", "", text)) for text in found)


def faults(pattern: re.Pattern[str]) -> list[str]:
    # PL/pgSQL: a function's statements end with `;`, so that one is not read into the next.
    return [f"{name}: {match[0][:80]}" for name, text in texts() if (match := pattern.search(text))]


def test_no_claim_may_take_every_row() -> None:
    assert faults(CLAIMS_ALL) == []


def test_no_update_decides_by_a_sum_over_other_rows() -> None:
    assert faults(SUMS_OTHERS) == []


@pytest.mark.parametrize(
    ("pattern", "statement"),
    [
        (CLAIMS_ALL, "UPDATE t SET a = 1 WHERE id IN (SELECT id FROM t ORDER BY id LIMIT 5 FOR UPDATE SKIP LOCKED)"),
        (SUMS_OTHERS, "UPDATE t SET a = 1 WHERE (SELECT sum(v) FROM r WHERE r.t = t.id) <= 5"),
        (SUMS_OTHERS, "UPDATE t SET a = (SELECT count(*) FROM r) WHERE id = 1"),
    ],
)
def test_both_forms_are_seen(pattern: re.Pattern[str], statement: str) -> None:
    assert pattern.search(statement)


def test_both_mended_forms_pass() -> None:
    assert not CLAIMS_ALL.search("WHERE id = ANY(ARRAY(SELECT id FROM t LIMIT 5 FOR UPDATE SKIP LOCKED))")
    assert not SUMS_OTHERS.search("UPDATE t SET a = a + 1 WHERE a < 5; SELECT sum(v) FROM r")


def conditional_deletes(source: str) -> list[int]:
    """Lines where `filter(…)` with a condition beside the key is followed by `.delete()`: Django looks, then deletes."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "delete"):
            continue
        chain: ast.AST = node.func.value
        while isinstance(chain, ast.Call) and isinstance(chain.func, ast.Attribute):
            if chain.func.attr == "filter" and {k.arg for k in chain.keywords} - {
                "pk",
                "id",
                "pk__in",
                "id__in",
                "delivery_id__in",
                "user",  # all devices of one, whatever they are by now
            }:
                found.append(node.lineno)
            chain = chain.func.value
    return found


def test_no_delete_looks_first_and_acts_later() -> None:
    sources = [path for path in PLACES if path.suffix == ".py"]
    assert [f"{path}:{line}" for path in sources for line in conditional_deletes(path.read_text())] == []


def test_such_a_delete_is_seen() -> None:
    assert conditional_deletes("Charge.objects.filter(pk=1, registered_at=None).delete()") == [1]
    assert conditional_deletes("Charge.objects.filter(pk=1).delete()") == []
