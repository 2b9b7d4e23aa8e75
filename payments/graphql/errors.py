"""Errors as clients get them: the REST API's message, and in `extensions` its kind and the field at fault."""

from __future__ import annotations

import logging
import math
from typing import Any

from django.db import Error as DatabaseError
from graphql import GraphQLError

from payments.services.errors import Duplicate, Forbidden, NotFound, ServiceError, TooMany, Unavailable
from woovi.ratelimit import RateLimited

logger = logging.getLogger(__name__)

CODES: dict[type[Exception], str] = {
    NotFound: "NOT_FOUND",
    Duplicate: "DUPLICATE",
    Unavailable: "UNAVAILABLE",
    TooMany: "TOO_MANY_REQUESTS",
    Forbidden: "FORBIDDEN",
}


class Refused(Exception):
    """The request is refused before it runs, with this error."""

    def __init__(self, message: str, code: str = "BAD_REQUEST", **more: Any) -> None:
        super().__init__(message)
        self.errors: list[dict[str, Any]] = [{"message": message, "extensions": {"code": code, **more}}]


def formatted(error: GraphQLError) -> dict[str, Any]:
    """The error's JSON. What nobody foresaw is logged, and tells nothing."""
    message, extensions = _told(error)
    found: dict[str, Any] = {"message": message, **({"path": error.path} if error.path else {})}
    if error.locations:
        found["locations"] = [at.formatted for at in error.locations]
    return {**found, "extensions": extensions}


def _told(error: GraphQLError) -> tuple[str, dict[str, Any]]:
    cause = error.original_error
    if cause is None or isinstance(cause, GraphQLError):  # of the language, or of an argument's value
        return error.message, {"code": "BAD_REQUEST"}
    if isinstance(cause, ServiceError):
        more = {"field": cause.field} if cause.field else {}
        if isinstance(cause, TooMany):
            more["retryAfter"] = math.ceil(cause.retry_after)  # type: ignore[assignment]
        return cause.message, {"code": CODES.get(type(cause), "INVALID"), **more}
    if isinstance(cause, RateLimited):
        return "Too many requests", {"code": "TOO_MANY_REQUESTS", "retryAfter": math.ceil(cause.decision.retry_after)}
    logger.error("a field failed: %s", error.path, exc_info=cause)
    if isinstance(cause, DatabaseError):
        return "try again later", {"code": "UNAVAILABLE"}
    return "Internal Server Error", {"code": "INTERNAL"}
