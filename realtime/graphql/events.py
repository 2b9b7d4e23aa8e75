"""One event, or one balance, as one document asks for it: made once, for however many connections follow it with that."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from graphql import print_ast
from graphql.execution import Executor, execute_subscription_event

from payments.graphql.execution import Wanted, told
from payments.graphql.subscriptions import event
from payments.selectors.balances import Balance
from realtime.connection import compact


@dataclass(frozen=True)
class Shape:
    """What decides how something is told: two of the same make the same bytes of it."""

    text: str
    operation: str
    variables: str
    executor: Executor[Any] = field(compare=False)

    @classmethod
    def of(cls, wanted: Wanted, executor: Executor[Any]) -> Shape:
        """The shape of a subscription. Where it begins makes no difference to it."""
        name = wanted.operation.name.value if wanted.operation.name else ""
        begins = {
            each.variable.name.value
            for each in wanted.operation.variable_definitions or ()
            if print_ast(each.type).rstrip("!") == "EventNumber"
        }
        others = {key: value for key, value in wanted.variables.items() if key not in begins}
        return cls(wanted.text, name, json.dumps(others, sort_keys=True), executor)


@lru_cache(512)
def payload(shape: Shape, source: bytes | Balance) -> bytes:
    """The result's JSON for a balance, or for the event in a frame of the log. Neither has fields that ask the database."""
    root = event(source) if isinstance(source, bytes) else source
    return compact(told(execute_subscription_event(shape.executor.build_per_event_executor(root))))  # type: ignore[arg-type]
