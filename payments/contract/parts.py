"""The small parts of many objects: times, ids, tax ids."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]


def time(at: datetime) -> str:
    """`2026-01-31T12:00:00.000Z`: UTC with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def global_id(kind: str, public_id: str) -> str:
    """The id that Woovi's API calls globalID: base64 of `Charge:<24 hex>` and the like."""
    return base64.b64encode(f"{kind}:{public_id}".encode()).decode()


def tax_id(number: str) -> Json:
    """A CPF (11 digits) or CNPJ as an object with its type."""
    return {"taxID": number, "type": "BR:CPF" if len(number) == 11 else "BR:CNPJ"}
