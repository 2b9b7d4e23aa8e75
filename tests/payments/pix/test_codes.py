"""Codes that were met in the world, and what each is: `codes.json` has them, with where they were met."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from payments.pix.brcode import BrCode, InvalidBrCode, crc16, decode, encode, fields

CASES = json.loads(Path(__file__).with_name("codes.json").read_text())


def each(kind: str) -> Any:
    return pytest.mark.parametrize("case", CASES[kind], ids=lambda case: case["id"])


def code(case: dict[str, Any]) -> str:
    """The code as it was met, or its fields in a right frame."""
    if text := case.get("text"):
        return str(text)
    framed = f"000201{case['body']}{case.get('tail', '')}6304"
    return f"{framed}{crc16(framed.encode(case.get('crc', 'utf-8'))):04X}"


@each("read")
def test_is_read(case: dict[str, Any]) -> None:
    found = decode(code(case))
    assert {name: getattr(found, name) for name in case["right"]} == case["right"]
    assert decode(code(case).encode()) == found
    top, pix, _ = fields(code(case))  # what POST /decode/emv shows
    assert (top["59"], top["60"], pix.get("01", ""), pix.get("25", "")) == (
        found.name,
        found.city,
        found.key,
        found.url,
    )


@each("refused")
def test_is_refused_and_told_why(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidBrCode) as refused:
        decode(code(case))
    assert case["why"] in str(refused.value)


@each("written")
def test_a_name_is_spelled_in_ascii(case: dict[str, Any]) -> None:
    assert decode(encode(BrCode(case["name"], "B", key="a@b.com"))).name == case["right"]


@pytest.mark.parametrize(
    "address", ["https://banco.example/a", "//banco.example", "banco exemplo/a", "u@banco.example/"]
)
def test_an_address_with_more_than_host_and_path_is_not_written(address: str) -> None:
    for given in ({"url": address}, {"url": "banco.example/a", "recurrence_url": address}):
        with pytest.raises(InvalidBrCode):
            encode(BrCode("Ana", "B", **given))
