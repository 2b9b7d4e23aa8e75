"""Ids as callers send them."""

from __future__ import annotations

import base64
import binascii


def bare_id(kind: str, identifier: str) -> str:
    """The public id in a global id (base64 of `Charge:<24 hex>`, for the `kind` Charge); any other one unchanged."""
    try:
        found, _, public_id = base64.b64decode(identifier, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return identifier
    return public_id if found == kind and public_id and "\0" not in public_id else identifier
