"""Pix keys: CPF, CNPJ, phone, e-mail and random (EVP), read from what people type.

Formats are the Central Bank's (DICT API, table of key types), except that an e-mail's domain needs a dot. A CNPJ may have
letters (Instrução Normativa RFB 2229/2024): in its check digits a character counts as its ASCII code less 48, which
leaves older numbers as they were.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

MAX_EMAIL = 77

_PUNCTUATION = re.compile(r"[.\-/\s]")
_CPF = re.compile(r"[0-9]{11}")
_CNPJ = re.compile(r"[0-9A-Z]{12}[0-9]{2}")
_PHONE = re.compile(r"\+[1-9][0-9]{1,14}")
_EMAIL = re.compile(
    r"[a-z0-9.!#$&'*+/=?^_`{|}~-]+@[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+"
)
_EVP = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class InvalidKey(ValueError):
    """The text is not a Pix key, or not a CPF or CNPJ."""


class KeyType(StrEnum):
    """The DICT's types of keys."""

    CPF = "CPF"
    CNPJ = "CNPJ"
    PHONE = "PHONE"
    EMAIL = "EMAIL"
    EVP = "EVP"


@dataclass(frozen=True)
class PixKey:
    """A Pix key and its type."""

    type: KeyType
    value: str  # as the DICT writes it

    def __str__(self) -> str:
        return self.value


def parse(text: str) -> PixKey:
    """Read a key as a person writes it, and normalise it to the DICT's form.

    Eleven digits are a CPF; a phone needs its `+`, because some numbers could be both.

    Raises:
        InvalidKey: not a key of any type.
    """
    text = pasted(text).strip()
    if "@" in text:
        email = text.lower() if text.isascii() else text  # the Kelvin sign would become a k
        if len(email) > MAX_EMAIL or not _EMAIL.fullmatch(email):
            raise InvalidKey("not an e-mail address of at most 77 characters")
        return PixKey(KeyType.EMAIL, email)
    if text.startswith("+"):
        phone = re.sub(r"[\s().-]", "", text)
        if not _PHONE.fullmatch(phone):
            raise InvalidKey("not a phone number with country code")
        return PixKey(KeyType.PHONE, phone)
    if _EVP.fullmatch(text.lower()):
        return PixKey(KeyType.EVP, text.lower())
    number = parse_tax_id(text)
    return PixKey(KeyType.CPF if len(number) == 11 else KeyType.CNPJ, number)


def parse_tax_id(text: str) -> str:
    """The CPF (11 digits) or CNPJ (14 characters) in `text`, without punctuation.

    Raises:
        InvalidKey: wrong length, characters or check digits, or one digit repeated.
    """
    number = _PUNCTUATION.sub("", pasted(text)).upper()
    base = 9 if _CPF.fullmatch(number) else 12 if _CNPJ.fullmatch(number) else 0
    if base and len(set(number)) > 1 and number[base:] == check_digits(number[:base]):
        return number
    raise InvalidKey("not a valid CPF or CNPJ")


def pasted(text: str) -> str:
    """Without the invisible characters that clipboards add, and with plain hyphens for the dashes of word processors."""
    if text.isascii():
        return text
    shown = (c for c in text if unicodedata.category(c) != "Cf")
    return "".join("-" if c == "\u2212" or unicodedata.category(c) == "Pd" else c for c in shown)


def is_tax_id(text: str) -> bool:
    """Whether `text` is a CPF or CNPJ."""
    try:
        return bool(parse_tax_id(text))
    except InvalidKey:
        return False


def check_digits(base: str) -> str:
    """The two check digits of a CPF's first 9 or a CNPJ's first 12 characters."""
    highest = 11 if len(base) == 9 else 9
    digits = ""
    for _ in range(2):
        values = [ord(character) - 48 for character in reversed(base + digits)]
        # Weights run from 2 at the right up to the highest and start again.
        total = sum(value * (2 + place % (highest - 1)) for place, value in enumerate(values))
        digits += str((-total % 11) % 10)
    return digits


def format_tax_id(number: str) -> str:
    """`number` (no punctuation) as people write it."""
    if len(number) == 11:
        return f"{number[:3]}.{number[3:6]}.{number[6:9]}-{number[9:]}"
    return f"{number[:2]}.{number[2:5]}.{number[5:8]}/{number[8:12]}-{number[12:]}"


def mask_tax_id(number: str) -> str:
    """A CPF as `111.***.***-80`; a CNPJ is public, so it stays whole."""
    return f"{number[:3]}.***.***-{number[9:]}" if len(number) == 11 else format_tax_id(number)


def mask(key: PixKey) -> str:
    """The key for logs and other people's screens: it can be recognised, not used."""
    if key.type in {KeyType.CPF, KeyType.CNPJ}:
        return mask_tax_id(key.value)
    if key.type is KeyType.EMAIL:
        name, _, domain = key.value.partition("@")
        return f"{name[0]}***@{domain}"
    if key.type is KeyType.PHONE:
        return f"{key.value[:3]}*****{key.value[-4:]}"
    return f"{key.value[:8]}-****-****-****-********{key.value[-4:]}"
