"""Identifiers of Pix: the receiver's txid and the network's end-to-end id (API Pix `TxId`, `EndToEndId`, `RtrId`)."""

from __future__ import annotations

import re
import secrets
import string
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

_TXID = re.compile(r"[a-zA-Z0-9]{26,35}")
_STATIC_TXID = re.compile(r"[a-zA-Z0-9]{1,25}")
_RETURN_ID = re.compile(r"[a-zA-Z0-9]{1,35}")
_END_TO_END = re.compile(r"([ED])([0-9A-Z]{8})([0-9]{12})([a-zA-Z0-9]{11})")
_ISPB = re.compile(r"[0-9A-Z]{8}")
_ALPHABET = string.ascii_letters + string.digits


class InvalidId(ValueError):
    """The text is not an identifier of the expected kind."""


@dataclass(frozen=True)
class EndToEndId:
    """An end-to-end id: `E` for a payment or `D` for a return, the bank (ISPB) that made it, and the minute."""

    kind: Literal["E", "D"]
    ispb: str
    at: datetime
    suffix: str

    def __str__(self) -> str:
        return f"{self.kind}{self.ispb}{self.at.astimezone(UTC):%Y%m%d%H%M}{self.suffix}"


def new_txid() -> str:
    """A txid of a dynamic charge: 32 hexadecimal digits, 128 random bits."""
    return secrets.token_hex(16)


def is_txid(text: str) -> bool:
    """Whether `text` is a txid of a dynamic charge: 26 to 35 letters and digits."""
    return bool(_TXID.fullmatch(text))


def is_static_txid(text: str) -> bool:
    """Whether `text` is a txid of a static code: 1 to 25 letters and digits."""
    return bool(_STATIC_TXID.fullmatch(text))


def is_return_id(text: str) -> bool:
    """Whether `text` is the id of a return or of a sent Pix: 1 to 35 letters and digits."""
    return bool(_RETURN_ID.fullmatch(text))


def mint(kind: Literal["E", "D"], ispb: str, now: datetime | None = None) -> str:
    """A new end-to-end id of the bank `ispb`, at `now` (aware).

    Raises:
        InvalidId: `ispb` is not 8 digits or capitals.
    """
    if not _ISPB.fullmatch(ispb):
        raise InvalidId(f"an ISPB has 8 characters, not {ispb!r}")
    suffix = "".join(secrets.choice(_ALPHABET) for _ in range(11))
    return str(EndToEndId(kind, ispb, now or datetime.now(UTC), suffix))


def parse(text: str) -> EndToEndId:
    """Read an end-to-end id.

    Raises:
        InvalidId: wrong shape, or a time that does not exist.
    """
    match = _END_TO_END.fullmatch(text)
    if not match:
        raise InvalidId("an end-to-end id is E or D, 8 of the bank, 12 of the time and 11 more")
    kind, ispb, minute, suffix = match.groups()
    try:
        at = datetime.strptime(minute, "%Y%m%d%H%M").replace(tzinfo=UTC)
    except ValueError:
        raise InvalidId(f"{minute} is no time") from None
    return EndToEndId("E" if kind == "E" else "D", ispb, at, suffix)
