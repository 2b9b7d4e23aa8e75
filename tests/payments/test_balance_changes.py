"""A balance change of more than one statement is made under a row's lock. Walks what the services call, from whoever calls.

A statement writes; one that posts to the ledger or says what is refunded changes a balance. Under a lock is what stands
inside `with ...lock_for_update(...)`, `lock_rows(...)` or `write()`, or what the database's own row lock began
(tests/payments/test_row_locks.py lists those). The rest is its caller's to lock; whom nobody calls has no excuse.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest
from django.conf import settings

Function = tuple[str, str]  # module, name
WRITES = {"save", "update", "create", "bulk_create", "bulk_update", "get_or_create", "delete", "post"}
LOCKS = {"lock_for_update", "lock_rows", "arun_locked", "write"}
FIELDS = {"refunded", "posted", "held"}
WITHOUT = {  # and why they need none
    ("transfers", "transfer"): "the database decides on its limit, and on its postings, in one transaction",
    ("withdrawals", "withdraw"): "its payment is written in the same transaction, so that nobody else can be at it",
    ("bank_returns", "record"): "a unique index lets one in; what it counts is one UPDATE, in the same transaction",
}


class Walk(ast.NodeVisitor):
    """What one function writes and calls outside of any lock."""

    def __init__(self, module: str, function: ast.FunctionDef | ast.AsyncFunctionDef, locking: set[str]) -> None:
        self.module = module
        self.locking = locking  # names of SQL that locks rows
        self.statements = self.money = 0
        self.calls: list[Function] = []  # outside of a lock
        self.all_calls: list[Function] = []
        self.parameters = [each.arg for each in function.args.args]
        self.passed: list[tuple[Function, int, str]] = []  # to whom, as which argument, what
        self.locks_rows = False  # by the database's own lock, from here on
        self._depth = 0
        for node in function.body:
            self.visit(node)

    def visit_With(self, node: ast.With) -> None:
        taken = any(_name(each) in LOCKS for item in node.items for each in ast.walk(item.context_expr))
        for item in node.items:
            self.visit(item.context_expr)
        self._depth += taken
        for each in node.body:
            self.visit(each)
        self._depth -= taken

    def visit_Call(self, node: ast.Call) -> None:
        name, of = _name(node), getattr(getattr(node.func, "value", None), "id", "")
        self.locks_rows |= name == "select_for_update"
        called = (of or self.module, name)
        self.all_calls.append(called)
        self.passed += [(called, at, each.id) for at, each in enumerate(node.args) if isinstance(each, ast.Name)]
        if not self._depth:
            self.calls.append(called)
            if name in WRITES and (name != "post" or of == "ledger"):
                self.statements += 1
                self.money += name == "post" or any(keyword.arg in FIELDS for keyword in node.keywords)
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        self.locks_rows |= node.id in self.locking


def _locking(tree: ast.Module) -> set[str]:
    """The module's constants that hold SELECT ... FOR UPDATE."""
    found = [node for node in tree.body if isinstance(node, ast.Assign) and "FOR UPDATE" in ast.unparse(node.value)]
    return {target.id for node in found for target in node.targets if isinstance(target, ast.Name)}


def _imported(module: str, tree: ast.Module) -> dict[Function, Function]:
    """The names that the module imports from services: a package's `__init__` gives on what its modules hold."""
    found = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and "services" in (n.module or "")]
    return {
        (module, each.asname or each.name): ((node.module or "").rpartition(".")[2], each.name)
        for node in found
        for each in node.names
    }


def _name(node: ast.AST) -> str:
    called = node.func if isinstance(node, ast.Call) else None
    return getattr(called, "attr", None) or getattr(called, "id", "")


def unlocked(sources: dict[str, str]) -> set[str]:
    """The functions that nobody in `sources` calls, and that change a balance in several statements without a lock."""
    walks: dict[Function, Walk] = {}
    elsewhere: dict[Function, Function] = {}  # where a name that a module imports is defined
    for module, source in sources.items():
        tree = ast.parse(source)
        elsewhere |= _imported(module, tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                walks[module, node.name] = Walk(module, node, _locking(tree))
    given = _given(walks, elsewhere)
    for walk in walks.values():
        walk.calls = [found for each in walk.calls for found in given.get(each, [elsewhere.get(each, each)])]
        walk.all_calls = [found for each in walk.all_calls for found in given.get(each, [elsewhere.get(each, each)])]
    called = {each for function, walk in walks.items() for each in walk.all_calls if each != function}
    seen: defaultdict[Function, tuple[int, int]] = defaultdict(lambda: (0, 0))

    def locks_rows(function: Function) -> bool:
        """Itself, or by a helper that answers with the locked row."""
        return (
            function in WITHOUT
            or walks[function].locks_rows
            or any(walks[c].locks_rows for c in walks[function].calls if c in walks)
        )

    def exposed(function: Function) -> tuple[int, int]:
        """Statements outside of a lock, and how many of them change a balance; those of what it calls too."""
        if function not in seen:
            seen[function] = (0, 0)  # until it is known, so that recursion ends
            walk = walks[function]
            below = [exposed(each) for each in walk.calls if each in walks] if not locks_rows(function) else []
            own = (0, 0) if locks_rows(function) else (walk.statements, walk.money)
            seen[function] = (own[0] + sum(s for s, _ in below), own[1] + sum(m for _, m in below))
        return seen[function]

    roots = {function: exposed(function) for function in walks if function not in called}
    return {f"{module}.{name}" for (module, name), (statements, money) in roots.items() if money and statements > 1}


def _given(walks: dict[Function, Walk], elsewhere: dict[Function, Function]) -> dict[Function, list[Function]]:
    """The functions that a parameter, named as its module would name a function, is given: it calls them for their owner."""
    given: defaultdict[Function, list[Function]] = defaultdict(list)
    for walk in walks.values():
        for called, at, name in walk.passed:
            to, function = elsewhere.get(called, called), (walk.module, name)
            function = elsewhere.get(function, function)
            if to in walks and function in walks and at < len(walks[to].parameters):
                given[to[0], walks[to].parameters[at]].append(function)
    return given


def everything() -> dict[str, str]:
    folder = Path(settings.BASE_DIR) / "payments"
    skipped = ("migrations", "simulator", "demo")
    paths = [path for path in folder.rglob("*.py") if not set(skipped) & set(path.parts)]
    return {_module(path): path.read_text() for path in paths if path.parent.name != "ledger"}


def _module(path: Path) -> str:
    """As callers name it: a service by its own name alone, or its package's."""
    if "services" not in path.parts:
        return f"{path.parent.name}/{path.stem}"
    return path.parent.name if path.stem == "__init__" else path.stem


def test_no_balance_is_changed_in_several_statements_without_a_lock() -> None:
    assert unlocked(everything()) == set(), "use lock_for_update, or lock_rows around a bank call (docs/locks.md)"


POST = "ledger.post(hold)"
ROW = "Refund.objects.filter(pk=1).update(status='DONE')"


@pytest.mark.parametrize(
    ("body", "right"),
    [
        (f"{POST}; {ROW}", False),
        (f"{ROW}; helper()", False),
        ("refund.save(); Charge.objects.filter(pk=1).update(refunded=F('refunded') + 1)", False),
        (f"with transaction.atomic(): {POST}; {ROW}", False),
        (f"with Refund.objects.lock_for_update(pk=1) as rows: {POST}; {ROW}", True),
        (f"with lock.write() as rows: {ROW}; helper()", True),
        (f"row = Refund.objects.select_for_update().get(); {POST}; {ROW}", True),
        (POST, True),
        (ROW, True),
    ],
)
def test_control_a_change_without_a_lock_is_found(body: str, right: bool) -> None:
    first, _, rest = body.partition(": ") if body.startswith("with") else ("", "", body)
    lines = [f"    {first}:", f"        {rest}"] if first else [f"    {rest}"]
    source = "\n".join(["def helper():", f"    {POST}", "def act():", *lines])
    assert unlocked({"payouts": source}) == (set() if right else {"payouts.act"})


@pytest.mark.parametrize(
    ("gone", "found"),
    [
        (("lock_for_update", "lock_rows", ".write()"), {"api/charges.refund", "payments/tasks.send_refund"}),
        (("select_for_update", "FOR UPDATE"), {"api/bank_callback.receive", "payments/tasks.reconcile"}),
    ],
)
def test_control_the_services_without_their_locks(gone: tuple[str, ...], found: set[str]) -> None:
    sources = everything()
    for name in gone:
        sources = {module: source.replace(name, name[0] + "x") for module, source in sources.items()}
    assert found <= unlocked(sources)
