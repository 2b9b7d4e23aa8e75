"""Parts that models share."""

from __future__ import annotations

import secrets
import time
import uuid

from django.db import models


def new_public_id() -> str:
    """An identifier of 24 hex digits, as in Woovi's API: 4 bytes of time and 8 random bytes."""
    return f"{int(time.time()):08x}{secrets.token_hex(8)}"


def new_correlation_id() -> str:
    """A correlationID for what its merchant gave none."""
    return str(uuid.uuid4())


class PublicIdField(models.CharField):  # type: ignore[type-arg]
    """The identifier that API and pages show; they never show the primary key."""

    def __init__(self, **kwargs: object) -> None:
        kwargs.update(max_length=24, unique=True, editable=False, default=new_public_id)
        super().__init__(**kwargs)  # type: ignore[arg-type]
