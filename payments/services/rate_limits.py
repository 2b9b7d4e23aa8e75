"""Changes of rate limits, which take two operators: policies, plans, and who is never counted.

Who is always refused is one operator's to say and to take back, at once and with a reason: an attack waits for nobody.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model

from payments.services.errors import Invalid
from woovi.ratelimit.models import LimitEntry, LimitPlan, LimitPolicy

log = logging.getLogger(__name__)

Limit = LimitPolicy | LimitPlan | LimitEntry


def values(row: Model) -> dict[str, Any]:
    """The row's values by field, as a proposal keeps them."""
    kept = [field.attname for field in row._meta.concrete_fields if field.editable and not field.primary_key]
    return {name: written(getattr(row, name)) for name in (*kept, "in_force")}


def written(value: Any) -> Any:
    """A value as JSON has it."""
    return value.isoformat() if isinstance(value, datetime) else value


def change(row: Limit, **after: Any) -> None:
    """Give the row these values, everywhere within two seconds. Raises Invalid where they make no sense."""
    fields = {field.name: field for field in row._meta.concrete_fields}
    for name, value in after.items():
        setattr(row, name, fields[name].to_python(value))
    try:
        row.full_clean()
    except ValidationError as error:
        raise Invalid(f"The limit would make no sense: {' '.join(error.messages)}") from error
    row.save()
    log.warning("%s %s: %s changed", type(row).__name__, row.pk, ", ".join(after))  # whose it is may be an e-mail


def at_once(row: Limit) -> bool:
    """Whether one operator changes it: it refuses somebody, and gives nobody more."""
    return isinstance(row, LimitEntry) and row.kind == LimitEntry.Kind.DENY
