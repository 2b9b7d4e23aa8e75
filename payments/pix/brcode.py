"""BR Code: the text of a Pix QR code ("Pix copia e cola").

Type-length-value after EMV's QR Code Specification for merchant-presented mode, with the Central Bank's templates
(Manual de Padrões para Iniciação do Pix). A static code carries a Pix key; a dynamic one the address of its payload.
"""

from __future__ import annotations

import re
import unicodedata
from binascii import crc_hqx
from dataclasses import dataclass

GUI = "br.gov.bcb.pix"
MAX_LENGTH = 512  # of `pixCopiaECola` in the API Pix
MAX_NAME, MAX_CITY, MAX_ADDRESS, MAX_VALUE = 25, 15, 77, 999_999_999_999

_AMOUNT = re.compile(r"([0-9]{1,10})(?:\.([0-9]{0,2}))?")
_STATIC_TXID = re.compile(r"[a-zA-Z0-9]{1,25}")


class InvalidBrCode(ValueError):
    """The text is no Pix code, or the fields do not fit into one. The message says why, in words for a person."""


@dataclass(frozen=True)
class BrCode:
    """What a code says. Exactly one of `key` (static) and `url` (dynamic), unless it only starts a recurrence."""

    name: str  # of the receiver
    city: str
    key: str = ""  # Pix key
    url: str = ""  # of the payload, without https://
    value: int | None = None  # centavos; None leaves it to the payer, or to the payload
    txid: str = ""  # empty is written as ***
    info: str = ""  # shown to the payer of a static code
    single_use: bool = False  # point of initiation 12
    recurrence_url: str = ""  # Pix Automático, template 80


def crc16(data: bytes) -> int:
    """CRC16-CCITT-FALSE: polynomial 0x1021, start 0xFFFF, nothing reflected. crc16(b"123456789") == 0x29B1."""
    return crc_hqx(data, 0xFFFF)


def fold(text: str, limit: int) -> str:
    """`text` in printable ASCII without accents, at most `limit` characters: what every bank's reader can show."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return " ".join("".join(c if c.isprintable() else " " for c in plain).split())[:limit].strip()


def encode(code: BrCode) -> str:
    """Write the code. Name and city are folded to ASCII and cut to 25 and 15 characters.

    Raises:
        InvalidBrCode: a field is missing, too long or has characters that it may not have.
    """
    name, city = fold(code.name, MAX_NAME), fold(code.city, MAX_CITY)
    if not name or not city:
        raise InvalidBrCode("name and city of the receiver are required")
    if bool(code.key) == bool(code.url):
        raise InvalidBrCode("a code has either a Pix key or the address of its payload")
    if code.value is not None and not 0 < code.value <= MAX_VALUE:
        raise InvalidBrCode("the value is out of range")
    if code.txid and not _STATIC_TXID.fullmatch(code.txid):
        raise InvalidBrCode("the txid has 1 to 25 letters and digits")
    _check_address(code.key or code.url)
    account = _field("00", GUI) + (_field("25", code.url) if code.url else _field("01", code.key))
    if code.info:
        account += _field("02", fold(code.info, 99))
    text = _field("00", "01")
    text += _field("01", "12") if code.single_use else ""
    text += _field("26", account) + _field("52", "0000") + _field("53", "986")
    text += _field("54", f"{code.value // 100}.{code.value % 100:02d}") if code.value is not None else ""
    text += (
        _field("58", "BR") + _field("59", name) + _field("60", city) + _field("62", _field("05", code.txid or "***"))
    )
    if code.recurrence_url:
        _check_address(code.recurrence_url)
        text += _field("80", _field("00", GUI) + _field("25", code.recurrence_url))
    text += "6304"
    text += f"{crc16(text.encode()):04X}"
    if len(text) > MAX_LENGTH:
        raise InvalidBrCode(f"the code has {len(text)} characters, of at most {MAX_LENGTH}")
    return text


def decode(text: str | bytes) -> BrCode:
    """Read a code, however it was made.

    Lengths count characters, as EMV has it; a code whose issuer counted UTF-8 bytes instead is read too.

    Raises:
        InvalidBrCode: for anything that is not a whole, unaltered Pix code; nothing else is ever raised.
    """
    try:
        code = (text.decode() if isinstance(text, bytes) else text).strip()
        raw = code.encode()
    except UnicodeError:
        raise InvalidBrCode("the code is not UTF-8 text") from None
    if len(code) > MAX_LENGTH:
        raise InvalidBrCode(f"a code has at most {MAX_LENGTH} characters")
    if not re.fullmatch(r"000201.*6304[0-9A-Fa-f]{4}", code, re.DOTALL):
        raise InvalidBrCode("this is not a Pix code")
    if crc16(raw[:-4]) != int(raw[-4:], 16):
        raise InvalidBrCode("the code is damaged: its check digits do not match")
    try:
        return _read(code)
    except InvalidBrCode:
        if code.isascii():
            raise
        return _read(raw.decode("latin-1"), counts_bytes=True)


def _read(code: str, counts_bytes: bool = False) -> BrCode:
    """Read a code whose frame is right. With `counts_bytes`, each character of `code` stands for one byte."""

    def words(value: str) -> str:
        try:
            return value.encode("latin-1").decode() if counts_bytes else value
        except UnicodeError:
            raise InvalidBrCode("a length cuts a character in two") from None

    fields = _fields(code)
    account = next((found for n in range(26, 52) if (found := _pix_template(fields.get(f"{n:02d}")))), None)
    recurrence = (_pix_template(fields.get("80")) or {}).get("25", "")
    if account is None:
        raise InvalidBrCode("the code is of another payment system than Pix")
    key, url = account.get("01", ""), account.get("25", "")
    if bool(key) == bool(url) and not (recurrence and not key):
        raise InvalidBrCode("the code has neither a Pix key nor the address of a payload")
    if fields.get("53", "986") != "986" or fields.get("58", "BR") != "BR":
        raise InvalidBrCode("the code is not in reais, or not of Brazil")
    for address in filter(None, (key, url, recurrence)):
        _check_address(address)
    if "59" not in fields or "60" not in fields:
        raise InvalidBrCode("the code does not name its receiver")
    txid = _fields(fields.get("62", "")).get("05", "***")
    if txid != "***" and not _STATIC_TXID.fullmatch(txid):
        raise InvalidBrCode("the code's txid has characters that it may not have")
    return BrCode(
        name=words(fields["59"]),
        city=words(fields["60"]),
        key=key,
        url=url,
        value=_amount(fields.get("54", "")),
        txid="" if txid == "***" else txid,
        info=words(account.get("02", "")),
        single_use=fields.get("01") == "12",
        recurrence_url=recurrence,
    )


def _field(tag: str, value: str) -> str:
    if not 0 < len(value) <= 99:
        raise InvalidBrCode(f"field {tag} has {len(value)} characters, of 1 to 99")
    return f"{tag}{len(value):02d}{value}"


def _fields(text: str) -> dict[str, str]:
    """Split a run of fields. The CRC is one too, so the outermost run ends exactly at the code's end."""
    fields: dict[str, str] = {}
    position = 0
    while position < len(text):
        head = text[position : position + 4]
        if len(head) < 4 or not (head.isascii() and head.isdigit()):
            raise InvalidBrCode(f"no field begins at character {position}")
        tag, length = head[:2], int(head[2:])
        value = text[position + 4 : position + 4 + length]
        if len(value) != length or tag in fields:
            raise InvalidBrCode(f"field {tag} is cut off or comes twice")
        fields[tag] = value
        position += 4 + length
    return fields


def _pix_template(text: str | None) -> dict[str, str] | None:
    """The fields of a merchant account template, if it is Pix's."""
    if not text:
        return None
    try:
        fields = _fields(text)
    except InvalidBrCode:
        return None
    return fields if fields.get("00", "").lower() == GUI else None


def _check_address(text: str) -> None:
    if len(text) > MAX_ADDRESS or not text.isascii() or not text.isprintable() or " " in text:
        raise InvalidBrCode(f"a key or address has at most {MAX_ADDRESS} characters of printable ASCII, no spaces")


def _amount(text: str) -> int | None:
    if not text:
        return None
    match = _AMOUNT.fullmatch(text)
    if not match:
        raise InvalidBrCode(f"{text!r} is no value in reais")
    return int(match[1]) * 100 + int((match[2] or "").ljust(2, "0")) or None
