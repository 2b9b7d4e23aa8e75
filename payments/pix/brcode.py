"""BR Code: the text of a Pix QR code ("Pix copia e cola").

Type-length-value after EMV's QR Code Specification for merchant-presented mode, with the Central Bank's templates
(Manual de Padrões para Iniciação do Pix). A static code carries a Pix key; a dynamic one the address of its payload.
"""

from __future__ import annotations

import contextlib
import re
import unicodedata
from binascii import crc_hqx
from collections.abc import Iterator
from dataclasses import dataclass

from anyascii import anyascii

GUI = "br.gov.bcb.pix"
MAX_LENGTH = 512  # of `pixCopiaECola` in the API Pix
MAX_NAME, MAX_CITY, MAX_ADDRESS, MAX_VALUE = 25, 15, 77, 999_999_999_999

_AMOUNT = re.compile(r"([0-9]{1,10})(?:\.([0-9]{0,2}))?")
_STATIC_TXID = re.compile(r"[a-zA-Z0-9]{1,25}")
_FRAME = re.compile(r"000201.*6304[0-9A-Fa-f]{4}", re.DOTALL)
_ADDRESS = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?::[0-9]{1,5})?(?:/[!-~]*)?")  # host:port/path
_BREAK = re.compile(r"[\t-\r\x85\u2028\u2029]+")
_GAP = re.compile(rf" *{_BREAK.pattern} *")


class InvalidBrCode(ValueError):
    """The text is not a Pix code, or the fields do not fit into one. The message tells a person why."""


@dataclass(frozen=True)
class BrCode:
    """A code's fields. It has either `key` (static) or `url` (dynamic); one that only starts a recurrence has neither."""

    name: str  # of the receiver
    city: str
    key: str = ""  # Pix key
    url: str = ""  # of the payload, without https://
    value: int | None = (
        None  # centavos; None lets the payer choose. A dynamic code has it in its payload, which is not read here
    )
    txid: str = ""  # empty is written as ***. A dynamic code has it in its payload too
    info: str = ""  # shown to the payer of a static code
    single_use: bool = False  # point of initiation 12
    recurrence_url: str = ""  # Pix Automático, template 80


def crc16(data: bytes) -> int:
    """CRC16-CCITT-FALSE: polynomial 0x1021, start 0xFFFF, nothing reflected. crc16(b"123456789") == 0x29B1."""
    return crc_hqx(data, 0xFFFF)


def fold(text: str, limit: int) -> str:
    """`text` in printable ASCII of at most `limit` characters, which every bank can show.

    Letters of any script become Latin ones (ß is ss, Ж is Zh); emoji are left out.
    """
    shown = (c for c in unicodedata.normalize("NFC", text) if unicodedata.category(c) != "Cf")
    plain = "".join(_spelled(c) if c.isprintable() else " " for c in shown)
    return " ".join(plain.split())[:limit].strip()


def _spelled(character: str) -> str:
    latin = anyascii(character)
    return "" if len(latin) > 2 and latin[0] == latin[-1] == ":" else latin  # an emoji's name, such as :rocket:


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
    _check_printable(code.key)
    _check_address(code.url)
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
    """Read a code, tolerating known faults of issuers and of copying.

    Lengths count characters (EMV); a code whose issuer counted UTF-8 bytes is read too. Line breaks and invisible
    characters from mails and clipboards are removed; then the check digits must be right.

    Raises:
        InvalidBrCode: the text is not a whole, unaltered Pix code. No other error is raised.
    """
    try:
        code = clean(text.decode() if isinstance(text, bytes) else text)
    except UnicodeError:
        raise InvalidBrCode("the code is not UTF-8 text") from None
    try:
        return _read(code)
    except InvalidBrCode as error:
        if code.isascii():
            raise
        with contextlib.suppress(InvalidBrCode):
            return _read(code.encode().decode("latin-1"), counts_bytes=True)
        raise InvalidBrCode(f"{error} ({_foreign(code)})") from None


def fields(text: str) -> tuple[dict[str, str], dict[str, str], str]:
    """The fields of a code by their EMV tags, those of its Pix template, and its reference label (62-05), as they stand.

    Raises:
        InvalidBrCode: as `decode`.
    """
    code = clean(text)
    try:
        return _parts(code)
    except InvalidBrCode:
        if code.isascii():
            raise
        found, pix, label = _parts(code.encode().decode("latin-1"))
        return _utf8(found), _utf8(pix), label


def _parts(code: str) -> tuple[dict[str, str], dict[str, str], str]:
    found = _fields(code)
    pix = next((each for n in range(26, 52) if (each := _pix_template(found.get(f"{n:02d}")))), {})
    label = ""
    with contextlib.suppress(InvalidBrCode):  # nobody judges that of a dynamic code
        label = _fields(found.get("62", "")).get("05", "")
    return found, pix, label


def _utf8(found: dict[str, str]) -> dict[str, str]:
    """Values whose characters stand for bytes, as text."""
    return {tag: value.encode("latin-1").decode(errors="replace") for tag, value in found.items()}


def clean(text: str) -> str:
    """The code in `text`, without what nobody sees: the first reading with right check digits. Raises InvalidBrCode."""
    problem = "this is not a Pix code"
    for code in _readings(text):
        if len(code) > MAX_LENGTH:
            problem = f"a code has at most {MAX_LENGTH} characters"
        elif _FRAME.fullmatch(code):
            if int(code[-4:], 16) in _checks(code[:-4]):
                return code
            problem = "the code is damaged: its check digits do not match"
    raise InvalidBrCode(problem if text.isascii() else f"{problem} ({_foreign(text)})")


def _readings(text: str) -> Iterator[str]:
    """The text as it is; then without invisible characters, with each line break removed or turned into a space."""
    yield text.strip()
    shown = re.sub(r"[^\S\t-\r\x1c-\x1f\x85\u2028\u2029]", " ", text)  # any space that is not a line break
    shown = "".join(c for c in shown if not _is_invisible(c))
    yield _BREAK.sub("", shown).strip()
    yield _GAP.sub("", shown).strip()
    yield _GAP.sub(" ", shown).strip()


def _is_invisible(character: str) -> bool:
    """Whether it is a format or control character, a variation selector, a joiner, a filler or the blank of Braille."""
    if unicodedata.category(character) in {"Cf", "Cc"}:
        return not _BREAK.fullmatch(character)
    name = unicodedata.name(character, "")
    return name.startswith("VARIATION SELECTOR-") or name.endswith((" FILLER", " JOINER", " PATTERN BLANK"))


def _checks(text: str) -> Iterator[int]:
    """The check digits over UTF-8, and over Latin-1 as some JavaScript issuers compute them (`charCodeAt`)."""
    yield crc16(text.encode())
    with contextlib.suppress(UnicodeError):
        yield crc16(text.encode("latin-1"))


def _foreign(text: str) -> str:
    """Names the character by which a code most likely went wrong."""
    at, character = next((at, c) for at, c in enumerate(text, 1) if not c.isascii())
    return f"character {at}, {character!r}, is none of ASCII, which a Pix code is written in"


def _read(code: str, counts_bytes: bool = False) -> BrCode:
    """Read a code whose frame is right. With `counts_bytes`, each character of `code` stands for one byte."""

    def text(value: str) -> str:
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
    if key and url:
        raise InvalidBrCode("the code has both a Pix key and the address of a payload")
    if not (key or url or recurrence):
        raise InvalidBrCode("the code has neither a Pix key nor the address of a payload")
    if "03" in account:
        raise InvalidBrCode("the code is for a Pix Saque, a withdrawal of cash, which is not offered here")
    _check_mandatory(fields)
    _check_printable(key)
    _check_address(url)
    _check_address(recurrence)
    txid = _static_txid(fields) if key else ""
    return BrCode(
        name=text(fields["59"]),
        city=text(fields["60"]),
        key=key,
        url=url,
        value=_amount(fields.get("54", "")) if key else None,
        txid=txid,
        info=text(account.get("02", "")),
        single_use=fields.get("01") == "12",
        recurrence_url=recurrence,
    )


def _check_mandatory(fields: dict[str, str]) -> None:
    """Check the fields that EMV and the Central Bank's manual require."""
    if not re.fullmatch(r"[0-9]{4}", fields.get("52", "")):
        raise InvalidBrCode("the code has no merchant category of four digits (field 52)")
    if fields.get("53") != "986" or fields.get("58") != "BR":
        raise InvalidBrCode("the code does not say that it is in reais (field 53) and of Brazil (field 58)")
    if not fields.get("59") or not fields.get("60"):
        raise InvalidBrCode("the code does not name its receiver (fields 59 and 60)")


def _static_txid(fields: dict[str, str]) -> str:
    txid = _fields(fields.get("62", "")).get("05", "***")
    if txid != "***" and not _STATIC_TXID.fullmatch(txid):
        raise InvalidBrCode("the code's txid has characters that it may not have")
    return "" if txid == "***" else txid


def _field(tag: str, value: str) -> str:
    if not 0 < len(value) <= 99:
        raise InvalidBrCode(f"field {tag} has {len(value)} characters, of 1 to 99")
    return f"{tag}{len(value):02d}{value}"


def _fields(text: str) -> dict[str, str]:
    """Split `text` into fields by tag. The CRC is a field too, so the last one ends exactly at the end of the code."""
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
    """The fields of a merchant account template; None if it is not of Pix."""
    if not text:
        return None
    try:
        fields = _fields(text)
    except InvalidBrCode:
        return None
    return fields if fields.get("00", "").lower() == GUI else None


def _check_printable(text: str) -> None:
    if len(text) > MAX_ADDRESS or not text.isascii() or not text.isprintable() or " " in text:
        raise InvalidBrCode(f"a key or address has at most {MAX_ADDRESS} characters of printable ASCII, no spaces")


def _check_address(text: str) -> None:
    """A payload's address is host and path, without a scheme: banks put https:// before it."""
    _check_printable(text)
    if text and not _ADDRESS.fullmatch(text):
        raise InvalidBrCode("the address of a payload has a host and a path, without https:// before them")


def _amount(text: str) -> int | None:
    if not text:
        return None
    match = _AMOUNT.fullmatch(text)
    if not match:
        raise InvalidBrCode(f"{text!r} is no value in reais")
    return int(match[1]) * 100 + int((match[2] or "").ljust(2, "0")) or None
