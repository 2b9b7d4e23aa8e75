"""One event as one document asks for it: made once, for however many connections follow it with that document."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from graphql.execution import Executor, execute_subscription_event

from payments.graphql.execution import Wanted, told
from payments.graphql.subscriptions import event
from realtime.connection import compact


@dataclass(frozen=True)
class Shape:
    """What decides how an event is told: two of the same make the same bytes of the same event."""

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
            if "EventNumber" in repr(each.type)
        }
        others = {key: value for key, value in wanted.variables.items() if key not in begins}
        return cls(wanted.text, name, json.dumps(others, sort_keys=True), executor)


@lru_cache(512)
def payload(shape: Shape, frame: bytes) -> bytes:
    """The result's JSON for the event in a frame of the log."""
    return compact(told(execute_subscription_event(shape.executor.build_per_event_executor(event(frame)))))  # type: ignore[arg-type]
