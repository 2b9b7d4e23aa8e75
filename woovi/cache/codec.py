"""Values as bytes: one byte of flags, then msgpack, deflated above 1 KiB.

Types that come back as they were: None, bool, int of 64 bits, float, str, bytes, list, dict, Decimal, aware datetime,
date, UUID. A tuple comes back as a list. Pickle was rejected: whoever can write to Redis could run code here.
"""

from __future__ import annotations

import uuid
import zlib
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgpack

from woovi.cache.errors import Unreadable

DEFLATED, NEGATIVE = 1, 2  # flags; NEGATIVE marks an exception: [number of its class in negative_ttl, its arguments]
LARGE = 1024  # bytes: larger values are deflated
LARGEST = 16 * 1024 * 1024  # bytes of an inflated value, at most
_TYPES: list[tuple[type, Any]] = [(Decimal, Decimal), (datetime, datetime.fromisoformat), (date, date.fromisoformat), (uuid.UUID, uuid.UUID)]  # fmt: skip


def pack(value: object, flags: int = 0) -> bytes:
    """The value as bytes, with these flags. Raises TypeError for a type that would not come back as it was."""
    body: bytes = msgpack.packb(value, default=_extra)
    if len(body) > LARGE:
        body, flags = zlib.compress(body, 1), flags | DEFLATED
    return bytes((flags,)) + body


def unpack(data: bytes) -> tuple[int, Any]:
    """The flags and the value of packed bytes. Raises Unreadable where `pack` did not write them."""
    try:
        flags = data[0]
        if flags & ~(DEFLATED | NEGATIVE):
            raise Unreadable(f"unknown flags {flags}")
        body = _inflated(data[1:]) if flags & DEFLATED else data[1:]
        return flags, msgpack.unpackb(body, ext_hook=_of_extra, strict_map_key=False)
    except (
        ValueError,
        TypeError,
        ArithmeticError,
        IndexError,
        RecursionError,
        zlib.error,
        msgpack.UnpackException,
    ) as error:
        raise Unreadable(f"{type(error).__name__} in a stored value") from error


def _inflated(data: bytes) -> bytes:
    inflate = zlib.decompressobj()
    body = inflate.decompress(data, LARGEST)
    if not inflate.eof:
        raise Unreadable("a stored value is cut off or too large")
    return body


def _extra(value: object) -> msgpack.ExtType:
    for code, (kind, _) in enumerate(_TYPES):
        if type(value) is kind:
            if isinstance(value, datetime) and value.tzinfo is None:
                raise TypeError("a naive datetime is no moment")
            text = value.isoformat() if isinstance(value, date) else str(value)
            return msgpack.ExtType(code, text.encode())
    raise TypeError(f"a cache keeps no {type(value).__name__}")


def _of_extra(code: int, data: bytes) -> Any:
    return _TYPES[code][1](data.decode())
