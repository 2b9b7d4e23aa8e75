"""Whose request it is, and what its fields share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import strawberry
from asgiref.sync import sync_to_async
from django.http import HttpRequest

from payments.graphql.loaders import Loaders
from payments.models import Company, User

T = TypeVar("T")


@dataclass
class Context:
    """The company and the person who asks; `user` is None for a program.

    `cursor` is the number of the log's last event before anything was read. `rows` counts what lists gave.
    """

    company: Company
    user: User | None = None
    request: HttpRequest = field(default_factory=HttpRequest)
    cursor: int = 0
    rows: int = 0

    def __post_init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Read anew what was loaded: something has changed."""
        self.load = Loaders(self.company, self.run)

    async def run(self, query: Callable[..., T], *args: Any) -> T:
        """Run what asks the database, in the thread that the request has."""
        return await sync_to_async(query)(*args)


Info: TypeAlias = strawberry.Info[Context, Any]
