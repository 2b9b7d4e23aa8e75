"""What the models share."""

from __future__ import annotations

import secrets
import time

from django.db import models


def new_public_id() -> str:
    """A 24-hex identifier as Woovi's API shows them: 4 bytes of time, 8 random."""
    return f"{int(time.time()):08x}{secrets.token_hex(8)}"


class PublicIdField(models.CharField):  # type: ignore[type-arg]
    """The identifier that leaves the platform; the primary key never does."""

    def __init__(self, **kwargs: object) -> None:
        kwargs.update(max_length=24, unique=True, editable=False, default=new_public_id)
        super().__init__(**kwargs)  # type: ignore[arg-type]
