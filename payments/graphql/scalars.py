"""Scalars: money, numbers of events, files, times as the API writes them."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import NewType

from strawberry.types.scalar import ScalarDefinition

from payments import contract

LARGEST = 2**53 - 1  # the largest whole number that JavaScript holds

Centavos = NewType("Centavos", int)
EventNumber = NewType("EventNumber", int)
File = NewType("File", bytes)


def _whole(value: object) -> int:
    if type(value) is not int or abs(value) > LARGEST:
        raise ValueError(f"must be a whole number: {value!r}")
    return value


def _position(value: object) -> int:
    number = _whole(value)
    if number < 0:
        raise ValueError("must be a number of the log")
    return number


def _moment(value: object) -> datetime:
    """As the API reads it: without an offset it is UTC."""
    try:
        at = datetime.fromisoformat(value)  # type: ignore[arg-type]
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("must be an ISO 8601 time") from None


def _file(value: object) -> bytes:
    try:
        return base64.b64decode(value, validate=True)  # type: ignore[arg-type]
    except (binascii.Error, TypeError, ValueError):
        raise ValueError("must be base64") from None


def _scalar(name: str, description: str, serialize: object, parse: object) -> ScalarDefinition:
    return ScalarDefinition(name, description, None, serialize, parse, None)  # type: ignore[arg-type]


SCALARS: dict[object, ScalarDefinition] = {
    Centavos: _scalar("Centavos", "Whole centavos; more than an Int holds.", _whole, _whole),
    EventNumber: _scalar("EventNumber", "A number in the company's log of events.", _whole, _position),
    File: _scalar("File", "A file's bytes in base64.", None, _file),
    datetime: _scalar("DateTime", "ISO 8601, in UTC with milliseconds.", contract.time, _moment),
}
