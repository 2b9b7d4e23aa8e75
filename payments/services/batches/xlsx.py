"""Rows of an XLSX file's first sheet, one at a time (ECMA-376, SpreadsheetML). Values alone: no formulas are computed."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Generator, Iterator
from decimal import Decimal, InvalidOperation
from typing import IO, BinaryIO
from xml.etree.ElementTree import Element, ParseError, iterparse

from payments.services.errors import Invalid

LARGEST = 1 << 30  # bytes of a part, unpacked
_NAMESPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_STRINGS, _SHEET = "xl/sharedStrings.xml", re.compile(r"xl/worksheets/sheet\d+\.xml")


def is_xlsx(file: BinaryIO) -> bool:
    """Whether the file is a ZIP archive, as XLSX files are."""
    file.seek(0)
    start = file.read(4)
    file.seek(0)
    return start == b"PK\x03\x04"


def read_xlsx(file: BinaryIO) -> Generator[tuple[int, list[str]]]:
    """Each row that is not empty, with its number in the sheet. Raises Invalid."""
    try:
        with zipfile.ZipFile(file) as archive:
            parts = {part.filename: part for part in archive.infolist()}
            sheets = sorted(filter(_SHEET.fullmatch, parts), key=lambda name: (len(name), name))
            if not sheets or any(part.file_size > LARGEST for part in parts.values()):
                raise Invalid("The file is no spreadsheet, or is too large", "file")
            strings: list[str] = []
            if _STRINGS in parts:
                with archive.open(_STRINGS) as source:
                    strings = [_text(item) for item in _elements(source, "si")]
            with archive.open(sheets[0]) as source:
                for number, row in enumerate(_elements(source, "row"), 1):
                    cells = _cells(row, strings)
                    if any(cell.strip() for cell in cells):
                        yield int(row.get("r") or number), cells
    except (zipfile.BadZipFile, ParseError, ValueError, IndexError, NotImplementedError, EOFError) as error:
        raise Invalid(f"The file cannot be read: {type(error).__name__}", "file") from error


def _elements(source: IO[bytes], name: str) -> Iterator[Element]:
    """Each element `name`, which is forgotten afterwards, so that memory stays bounded."""
    parents: list[Element] = []
    for event, element in iterparse(source, ("start", "end")):  # noqa: S314 (as above)
        if event == "start":
            parents.append(element)
            continue
        parents.pop()
        if element.tag == _NAMESPACE + name and parents:
            yield element
            parents[-1].remove(element)


def _text(element: Element) -> str:
    """All text of a string, whose parts may be formatted differently."""
    return "".join(part.text or "" for part in element.iter(_NAMESPACE + "t"))


def _cells(row: Element, strings: list[str]) -> list[str]:
    found: list[str] = []
    for cell in row.iter(_NAMESPACE + "c"):
        place = _place(cell.get("r", "")) if cell.get("r") else len(found)
        found += [""] * (place + 1 - len(found))
        found[place] = _value(cell, strings)
    return found


def _place(reference: str) -> int:
    """The column of a cell such as AB12, from 0. Raises ValueError for a column that no spreadsheet has."""
    letters = re.match(r"[A-Z]{1,3}", reference)
    if not letters:
        raise ValueError(reference)
    place = 0
    for letter in letters[0]:
        place = place * 26 + ord(letter) - 64
    return place - 1


def _value(cell: Element, strings: list[str]) -> str:
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        return _text(cell)
    value = cell.find(_NAMESPACE + "v")
    text = (value.text or "") if value is not None else ""
    if kind == "s" and text:
        return strings[int(text)]
    return _number(text) if kind == "n" and text else text


def _number(text: str) -> str:
    """A number as people write it: whole (a CPF, a phone), or in reais with two digits after a comma."""
    try:
        number = Decimal(text).quantize(Decimal("0.0000001")).normalize()
    except InvalidOperation:
        return text
    if number == number.to_integral_value():
        return f"{number:f}".partition(".")[0]
    written = f"{number:f}"
    whole, _, part = written.partition(".")
    return f"{whole},{part:0<2}"
