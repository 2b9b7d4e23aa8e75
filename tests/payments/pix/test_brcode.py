from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.pix import brcode
from payments.pix.brcode import BrCode, InvalidBrCode, crc16, decode, encode, fold

# Printed in the Central Bank's and Woovi's API descriptions; their check digits are right.
PUBLISHED = [
    "00020101021226760014br.gov.bcb.pix2554pix.example.com/qr/v2/8b3da2f39a4140d1a91abd93113bd4415204000053039865802BR5913Fulano de Tal6008BRASILIA62070503***80800014br.gov.bcb.pix2558pix.example.com/qr/v2/rec/94ed2badcbc04c15b0bb7fa35319489063047741",
    "00020101021226810014br.gov.bcb.pix2559pix.example.com/qr/v2/cobv/1e6c54d3ec9449b7a7fc53b6b0f998e75204000053039865802BR5913Fulano de Tal6008BRASILIA62070503***80800014br.gov.bcb.pix2558pix.example.com/qr/v2/rec/3ffa640fa4f14080adccb949fa2dc0d06304A441",
    "00020126180014br.gov.bcb.pix5204000053039865802BR5913Fulano de Tal6008BRASILIA62070503***80800014br.gov.bcb.pix2558pix.example.com/qr/v2/rec/2353c790eefb11eaadc10242ac120002630462C9",
    "00020126780014br.gov.bcb.pix0136f4c6089a-bfde-4c00-a2d9-9eaa584b02190216CobrancaEstatica5204000053039865406546.285802BR5903Pix6008BRASILIA6229052584767c56c2ab4e65b6670de2a80950014br.gov.bcb.pix2573qr-h.sandbox.pix.bcb.gov.br/rest/api/rec/4b62d4a088fe4f51bcb4c64cf078869163044486",
]

ASCII = st.characters(min_codepoint=33, max_codepoint=126)
ADDRESSES = st.from_regex(r"[a-z0-9][a-z0-9.-]{0,28}[a-z0-9](:[0-9]{1,5})?/[!-~]{0,40}", fullmatch=True)
LABELS = st.text(st.characters(min_codepoint=32, max_codepoint=126)).map(lambda text: " ".join(text.split()))
NAMES = LABELS.map(lambda text: text[:25].strip()).filter(bool)
CITIES = LABELS.map(lambda text: text[:15].strip()).filter(bool)
VALUES = st.none() | st.integers(1, brcode.MAX_VALUE)
TXIDS = st.from_regex(r"[a-zA-Z0-9]{0,25}", fullmatch=True)
DYNAMIC = st.builds(
    BrCode, name=NAMES, city=CITIES, url=ADDRESSES, single_use=st.booleans(), recurrence_url=st.just("") | ADDRESSES,
)  # fmt: skip
STATIC = st.builds(
    BrCode, name=NAMES, city=CITIES, key=st.text(ASCII, min_size=1, max_size=50), value=VALUES, txid=TXIDS,
    info=LABELS.map(lambda text: text[:20].strip()),
)  # fmt: skip


def framed(body: str) -> str:
    """`body` with a right frame around it, whatever it holds."""
    text = f"000201{body}6304"
    return f"{text}{crc16(text.encode()):04X}"


def test_crc_known_answer() -> None:
    assert crc16(b"123456789") == 0x29B1


@pytest.mark.parametrize("text", PUBLISHED)
def test_published_codes_are_read(text: str) -> None:
    code = decode(text)
    assert code.city == "BRASILIA"
    assert code.recurrence_url.split("/")[0] in {"pix.example.com", "qr-h.sandbox.pix.bcb.gov.br"}
    assert decode(text.encode()) == code


def test_published_fields() -> None:
    code = decode(PUBLISHED[0])
    assert (code.name, code.single_use, code.txid, code.value) == ("Fulano de Tal", True, "", None)
    assert code.url == "pix.example.com/qr/v2/8b3da2f39a4140d1a91abd93113bd441"
    static = decode(PUBLISHED[3])
    assert (static.key, static.value) == ("f4c6089a-bfde-4c00-a2d9-9eaa584b0219", 54628)
    assert (static.info, static.txid) == ("CobrancaEstatica", "84767c56c2ab4e65b6670de2a")


def test_published_code_is_written_alike() -> None:
    assert encode(decode(PUBLISHED[0])) == PUBLISHED[0]
    assert encode(decode(PUBLISHED[1])) == PUBLISHED[1]


@given(STATIC | DYNAMIC)
def test_what_is_written_is_read(code: BrCode) -> None:
    text = encode(code)
    assert decode(text) == code
    assert len(text) <= 512
    assert text.isascii()


@given(STATIC | DYNAMIC, st.integers(0), st.characters(min_codepoint=33, max_codepoint=126))
def test_a_changed_character_is_noticed(code: BrCode, at: int, character: str) -> None:
    text = encode(code)
    at %= len(text) - 4
    if text[at] != character:
        with pytest.raises(InvalidBrCode):
            decode(text[:at] + character + text[at + 1 :])


@given(st.binary() | st.text() | st.text().map(framed) | st.binary().map(lambda raw: framed(raw.decode("latin-1"))))
def test_decode_survives_anything(text: str | bytes) -> None:
    with suppress(InvalidBrCode):
        assert isinstance(decode(text), BrCode)


@given(st.lists(st.tuples(st.integers(0, 99), st.text(max_size=40)), max_size=8))
def test_decode_survives_any_fields(fields: list[tuple[int, str]]) -> None:
    body = "".join(f"{tag:02d}{len(value):02d}{value}" for tag, value in fields)
    with suppress(InvalidBrCode):
        assert isinstance(decode(framed(body)), BrCode)


@pytest.mark.parametrize("count", [len, lambda text: len(text.encode())], ids=["characters", "bytes"])
def test_accents_counted_as_characters_or_as_bytes(count) -> None:  # type: ignore[no-untyped-def]
    name, city = "Pão de Açúcar", "São Luís"
    account = "0014br.gov.bcb.pix0111+5511999999"
    body = (
        f"26{len(account) + 1:02d}{account}9520400005303986"
        f"5802BR59{count(name):02d}{name}60{count(city):02d}{city}62070503***"
    )
    body = body.replace("0111+5511999999", "0112+5511999999")
    code = decode(framed(body))
    assert (code.name, code.city, code.key) == (name, city, "+55119999999")


def test_fold() -> None:
    assert fold("Padaria  São João\n& Irmãos Ltda", 25) == "Padaria Sao Joao & Irmaos"
    assert fold("日本", 10) == "RiBen"
    assert fold("Café 🚀 & Cia®", 25) == "Cafe & Cia(R)"
    assert fold("🚀", 10) == ""


@pytest.mark.parametrize(
    "code",
    [
        BrCode("A", "B"),
        BrCode("A", "B", key="k", url="u"),
        BrCode("", "B", key="k"),
        BrCode("A", "🚀", key="k"),
        BrCode("A", "B", key="k" * 78),
        BrCode("A", "B", key="a b"),
        BrCode("A", "B", key="é"),
        BrCode("A", "B", key="k", value=0),
        BrCode("A", "B", key="k", value=-1),
        BrCode("A", "B", key="k", value=brcode.MAX_VALUE + 1),
        BrCode("A", "B", key="k", txid="has-dash"),
        BrCode("A", "B", key="k", txid="x" * 26),
        BrCode("A", "B", key="k" * 77, info="i" * 20),
    ],
)
def test_fields_that_do_not_fit_are_refused(code: BrCode) -> None:
    with pytest.raises(InvalidBrCode):
        encode(code)


MANDATORY = "520400005303986" + "5802BR"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("", "another payment system"),
        (f"26180014br.gov.bcb.pix{MANDATORY}5903abc6003abc", "neither a Pix key"),
        (f"26270015com.example.pay0104abcd{MANDATORY}5903abc6003abc", "another payment system"),
        ("26260014br.gov.bcb.pix0104abcd52040000530384058" + "02BR5903abc6003abc", "in reais"),
        (f"26260014br.gov.bcb.pix0104abcd{MANDATORY}5404-1.05903abc6003abc", "no value"),
        (f"26260014br.gov.bcb.pix0104abcd{MANDATORY}6003abc", "name its receiver"),
        (f"26260014br.gov.bcb.pix0104abcd{MANDATORY}5903abc5903abc6003abc", "twice"),
        (f"26260014br.gov.bcb.pix0104abcd{MANDATORY}5903abc6003abc62070503a-b", "txid"),
        ("2699", "cut off"),
        ("²⁶", "'²'"),
    ],
)
def test_broken_codes_are_refused(body: str, why: str) -> None:
    with pytest.raises(InvalidBrCode, match=why):
        decode(framed(body))
