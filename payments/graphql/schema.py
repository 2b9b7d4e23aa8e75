"""The schema, and its text in schema.graphql, for clients and their tools."""

from __future__ import annotations

from pathlib import Path

import strawberry
from strawberry.schema.config import StrawberryConfig

from payments.graphql.mutations import Mutation
from payments.graphql.queries import Query
from payments.graphql.scalars import SCALARS
from payments.graphql.subscriptions import Subscription

FILE = Path(__file__).parent / "schema.graphql"

made = strawberry.Schema(Query, Mutation, Subscription, config=StrawberryConfig(scalar_map=SCALARS))
schema = (
    made._schema
)  # graphql-core's: it is run without Strawberry's extensions, which would parse and validate every time


def text() -> str:
    """The schema in GraphQL's own language."""
    return made.as_str() + "\n"


def write() -> None:
    """Write the file anew: after a change of the schema."""
    FILE.write_text(text())
