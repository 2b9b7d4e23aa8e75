"""Relay's parts: nodes with global ids, and lists in pages that stay in place while new rows come in at the top.

Source: https://relay.dev/graphql/connections.htm
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import strawberry
from django.db.models import Q, QuerySet

from payments.contract.parts import global_id
from payments.graphql.context import Info
from payments.services.errors import Invalid

PAGE, MOST = 20, 100  # rows of a page: without `first`, and at most
T = TypeVar("T")
Position = tuple[datetime, int, str]  # creation, primary key, and the kind of a row where a list has several


@strawberry.interface(description="An object with a global id, the same as in the REST API.")
class Node:
    """What `node(id)` finds."""

    id: strawberry.ID


def id_field(kind: str) -> Any:
    """The field `id` of a type whose rows have a public id."""

    def resolve(root: strawberry.Parent[Any]) -> strawberry.ID:
        return strawberry.ID(global_id(kind, root.public_id))

    return strawberry.field(resolver=resolve)


@strawberry.type
class PageInfo:
    """Where a page ends."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type
class Edge(Generic[T]):
    """A row, and its place in the list."""

    node: T
    cursor: str


@dataclass
class Slice:
    """A page of rows; `count` counts the whole list."""

    nodes: list[Any]
    places: list[Position]
    more: bool
    begun: bool
    count: Callable[[], int]


@strawberry.type
class Connection(Generic[T]):
    """A page of a list, newest first."""

    @strawberry.field(graphql_type=list[Edge[T]])
    def edges(self, root: strawberry.Parent[Slice]) -> Any:
        return [Edge(node=node, cursor=cursor(place)) for node, place in zip(root.nodes, root.places, strict=True)]

    @strawberry.field
    def page_info(self, root: strawberry.Parent[Slice]) -> PageInfo:
        ends: list[str | None] = [cursor(place) for place in root.places] or [None]
        return PageInfo(
            has_next_page=root.more, has_previous_page=root.begun, start_cursor=ends[0], end_cursor=ends[-1]
        )

    @strawberry.field(description="Rows of the whole list. It is counted only where it is asked for.")
    async def total_count(self, root: strawberry.Parent[Slice], info: Info) -> int:
        return await info.context.run(root.count)


async def listed(info: Info, read: Callable[[], Slice]) -> Slice:
    """Read a page, and count its rows, for which the company pays."""
    found = await info.context.run(read)
    info.context.rows += len(found.nodes)
    return found


def newest_first(rows: QuerySet[Any], first: int, after: str | None, *, by_id: bool = False) -> Slice:
    """A page of rows that are ordered by creation and id, or by id alone, the newest first."""
    checked(first)
    page, place = rows, position(after)
    if place:
        at, pk, _ = place
        page = rows.filter(pk__lt=pk)
        if not by_id:
            page = rows.filter(Q(created_at__lt=at) | Q(pk__lt=pk), created_at__lte=at)
    found = list(page[: first + 1])
    places = [(row.created_at, row.pk, "") for row in found[:first]]
    return Slice(found[:first], places, len(found) > first, place is not None, rows.count)


def checked(first: int) -> None:
    """Raise Invalid where the page is too large, or empty."""
    if not 1 <= first <= MOST:
        raise Invalid(f"first must be from 1 to {MOST}", "first")


def cursor(place: Position) -> str:
    """A place as text that clients do not read."""
    at, pk, kind = place
    return base64.urlsafe_b64encode(f"{at.isoformat()} {pk} {kind}".encode()).decode()


def position(after: str | None) -> Position | None:
    """The place in a cursor. Raises Invalid."""
    if after is None:
        return None
    try:
        at, pk, kind = base64.urlsafe_b64decode(after).decode().split(" ")
        place = datetime.fromisoformat(at), int(pk), kind
        if place[0].tzinfo is None or not 0 <= place[1] < 2**63:
            raise ValueError
    except (binascii.Error, ValueError):
        raise Invalid("after is no cursor of this list", "after") from None
    return place
