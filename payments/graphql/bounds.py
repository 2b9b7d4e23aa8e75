"""How large a document may be: it is measured before it runs, and even before it is validated.

Depth counts levels of fields. Breadth counts all fields that it asks for, aliases and the fields of each use of a fragment included.
Cost is the number of rows that it may bring: a list's `first`, times what each of its rows may bring.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)

from payments.graphql.connections import MOST
from payments.graphql.errors import Refused

CHARACTERS, TOKENS = 10_000, 1_000  # of a document
DEPTH, BREADTH, COST = 10, 250, 5_000
ROOTS = 10  # fields of the operation itself, each of which reads or does something


class Size(NamedTuple):
    """Of a part of a document."""

    depth: int = 0
    breadth: int = 0
    cost: int = 0

    def beside(self, other: Size) -> Size:
        """Both."""
        return Size(max(self.depth, other.depth), self.breadth + other.breadth, self.cost + other.cost)


def cost(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]
) -> int:
    """The rows that the operation may bring, 1 at least. Raises Refused for one that is too large."""
    measure = _Measure(schema, document, operation, variables)
    whole = sum(_written(part.selection_set) for part in document.definitions if hasattr(part, "selection_set"))
    root = schema.get_root_type(operation.operation)
    size = measure.of(operation.selection_set, root)
    for what, found, most in (
        ("fields at its root", len(roots(document, operation)), ROOTS),
        ("levels", size.depth, DEPTH),
        ("fields", max(size.breadth, whole), BREADTH),  # those that nothing uses are validated too
        ("rows", size.cost, COST),
    ):
        if found > most:
            raise Refused(f"The document has {found} {what}, and may have {most}", "TOO_LARGE", limit=most)
    return max(size.cost, 1)


def _written(selected: SelectionSetNode | None) -> int:
    """The fields that stand in a selection, in all its levels."""
    return sum(
        isinstance(each, FieldNode) + _written(getattr(each, "selection_set", None))
        for each in (selected.selections if selected else ())
    )


def roots(document: DocumentNode, operation: OperationDefinitionNode) -> list[str]:
    """Names of the fields at the operation's root, those of fragments included."""
    left, found = [operation.selection_set], []
    seen: set[str] = set()
    fragments = _fragments(document)
    while left:
        for each in left.pop().selections:
            if isinstance(each, FieldNode):
                found.append(each.name.value)
            elif isinstance(each, InlineFragmentNode):
                left.append(each.selection_set)
            elif isinstance(each, FragmentSpreadNode) and each.name.value in fragments.keys() - seen:
                seen.add(each.name.value)
                left.append(fragments[each.name.value].selection_set)
    return found


def _fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {part.name.value: part for part in document.definitions if isinstance(part, FragmentDefinitionNode)}


class _Measure:
    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
    ) -> None:
        self.schema = schema
        self.fragments = _fragments(document)
        defaults = {
            each.variable.name.value: int(each.default_value.value)
            for each in operation.variable_definitions or ()
            if isinstance(each.default_value, IntValueNode)
        }
        self.variables = {**defaults, **variables}
        self.measured: dict[str, Size] = {}  # fragments; in a circle one counts as empty, and is refused later

    def of(self, selected: SelectionSetNode | None, parent: Any) -> Size:
        size = Size()
        for each in selected.selections if selected else ():
            if isinstance(each, FieldNode):
                size = size.beside(self._field(each, parent))
            elif isinstance(each, InlineFragmentNode):
                named = each.type_condition and self.schema.get_type(each.type_condition.name.value)
                size = size.beside(self.of(each.selection_set, named or parent))
            elif isinstance(each, FragmentSpreadNode):
                size = size.beside(self._fragment(each.name.value))
        return size

    def _fragment(self, name: str) -> Size:
        if name not in self.measured and name in self.fragments:
            self.measured[name] = Size()
            made = self.fragments[name]
            self.measured[name] = self.of(made.selection_set, self.schema.get_type(made.type_condition.name.value))
        return self.measured.get(name, Size())

    def _field(self, field: FieldNode, parent: Any) -> Size:
        fields = parent.fields if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else {}
        definition = fields.get(field.name.value)
        if definition is None:  # __typename and introspection; or no such field, which validation says
            return Size(1, 1)
        inner = self.of(field.selection_set, get_named_type(definition.type))
        rows = inner.cost
        if "first" in definition.args:
            rows = self._first(field, definition.args["first"].default_value) * (1 + inner.cost)
        return Size(1 + inner.depth, 1 + inner.breadth, rows)

    def _first(self, field: FieldNode, default: Any) -> int:
        for argument in field.arguments or ():
            if argument.name.value == "first":
                value = argument.value
                if isinstance(value, IntValueNode):
                    return min(int(value.value), MOST)
                wanted = self.variables.get(value.name.value) if isinstance(value, VariableNode) else None
                return min(wanted, MOST) if type(wanted) is int else MOST
        return default if type(default) is int else MOST
