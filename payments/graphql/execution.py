"""Run an operation: its document is parsed and validated once, its size is paid for before it runs and settled after.

wanted = read({"query": "{ balance { total } }"})    # raises Refused
answer(wanted, context)                              # {"data": …, "errors": […]}; in a thread
source = follow(wanted, context)                     # a subscription: lists of roots, each for `result`
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from asgiref.sync import async_to_sync
from django.conf import settings
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    get_operation_ast,
    parse,
    specified_rules,
    validate,
)
from graphql.execution import Executor, create_source_event_stream

from payments import limits
from payments.graphql import bounds, documents
from payments.graphql.context import Context
from payments.graphql.errors import Refused, formatted
from payments.graphql.schema import schema
from payments.services import switches
from woovi import pubsub

_NUL = re.compile(r"\\u(?:0000|\{0+\})")
Json = dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """An operation to run. `cost`: the rows that it may bring."""

    text: str
    document: DocumentNode
    operation: OperationDefinitionNode
    variables: Mapping[str, Any]
    cost: int

    @property
    def is_subscription(self) -> bool:
        return self.operation.operation == OperationType.SUBSCRIPTION

    @property
    def is_mutation(self) -> bool:
        return self.operation.operation == OperationType.MUTATION

    @property
    def roots(self) -> list[str]:
        """Names of the fields at its root."""
        return bounds.roots(self.document, self.operation)


def read(request: Mapping[str, Any]) -> Wanted:
    """The operation of a request `{query | documentId, operationName, variables}`. Raises Refused."""
    if switches.is_off(switches.Name.GRAPHQL):
        raise Refused("GraphQL is switched off for now", "UNAVAILABLE")
    name, variables = request.get("operationName"), request.get("variables")
    variables = {} if variables is None else variables
    if not isinstance(variables, dict):
        raise Refused("variables must be an object", field="variables")
    if not isinstance(name, str | None):
        raise Refused("operationName must be text", field="operationName")
    text = documents.text(request)
    if _NUL.search(text) or _NUL.search(json.dumps(variables)):
        raise Refused("Text must not contain NUL")
    document = _parsed(text)
    operation = get_operation_ast(document, name)
    if operation is None:
        raise Refused("operationName must name an operation of the document", field="operationName")
    cost = bounds.cost(schema, document, operation, variables)
    _validated(text, hides=settings.PRODUCTION)
    return Wanted(text, document, operation, variables, cost)


@lru_cache(128)
def _parsed(text: str) -> DocumentNode:
    """The document without its tokens, which would be kept with it."""
    if len(text) > bounds.CHARACTERS:
        raise Refused(f"A document may have {bounds.CHARACTERS} characters", "TOO_LARGE", limit=bounds.CHARACTERS)
    try:
        return parse(text, no_location=True, max_tokens=bounds.TOKENS)
    except GraphQLSyntaxError as error:
        refused = Refused(error.message)
        refused.errors = [formatted(error)]
        raise refused from None


@lru_cache(128)
def _validated(text: str, *, hides: bool) -> None:
    rules = [*specified_rules, *([NoSchemaIntrospectionCustomRule] if hides else [])]
    if not validate(schema, _parsed(text), rules, max_errors=5, hide_suggestions=hides):
        return
    errors = validate(schema, parse(text), rules, max_errors=5, hide_suggestions=hides)  # once more, to tell the places
    refused = Refused(errors[0].message)
    refused.errors = [formatted(error) for error in errors]
    raise refused


def answer(wanted: Wanted, context: Context) -> Json:
    """Run a query or a mutation. Raises RateLimited where the company has used up its rows; nothing ran then."""
    with limits.rows(context.request, str(context.company.pk), wanted.cost) as charged:
        if "cursor" in wanted.roots:
            context.cursor = pubsub.head(str(context.company.pk))
        done = result(_executor(wanted, context))
        charged.settle(context.rows)
    return done


async def follow(wanted: Wanted, context: Context) -> tuple[Executor[Any], AsyncIterator[list[Any]]]:
    """A subscription: what runs it, and lists of roots, each for `result(executor.build_per_event_executor(root))`.

    Raises Refused.
    """
    executor = _executor(wanted, context)
    source = create_source_event_stream(executor)
    found = await source if inspect.isawaitable(source) else source
    if isinstance(found, ExecutionResult):
        refused = Refused("The subscription cannot be followed")
        refused.errors = [formatted(error) for error in found.errors or ()]
        raise refused
    return executor, found  # type: ignore[return-value]


def _executor(wanted: Wanted, context: Context) -> Executor[Any]:
    name = wanted.operation.name.value if wanted.operation.name else None
    built = Executor.build(
        schema,
        wanted.document,
        context_value=context,
        raw_variable_values=dict(wanted.variables),
        operation_name=name,
        hide_suggestions=settings.PRODUCTION,
    )
    if isinstance(built, Executor):
        return built
    refused = Refused("The variables cannot be read")
    refused.errors = [formatted(error) for error in built]
    raise refused


def result(executor: Executor[Any]) -> Json:
    """Run it to its end, in this thread; its loop is in another, so that this one may ask the database."""
    done = executor.execute_operation()
    return told(_finished(done) if inspect.isawaitable(done) else done)  # type: ignore[arg-type]


@async_to_sync(force_new_loop=True)
async def _finished(done: Any) -> ExecutionResult:
    found: ExecutionResult = await done
    return found


def told(done: ExecutionResult) -> Json:
    """The result's JSON."""
    return {
        **({"errors": [formatted(error) for error in done.errors]} if done.errors else {}),
        "data": done.data,
    }
