"""Rows of an XLSX file's first visible sheet, one at a time (ECMA-376, SpreadsheetML). Values alone: no formulas are computed."""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from collections.abc import Generator
from typing import BinaryIO
from xml.parsers.expat import ExpatError

from payments.services.batches import xml_parts
from payments.services.batches.columns import Problem
from payments.services.batches.xlsx_cells import Reader, Sheet, Strings
from payments.services.batches.xml_parts import parse
from payments.services.errors import Invalid

SMALL = 1 << 20  # bytes of a part that only lists others
_BROKEN = (ExpatError, zipfile.BadZipFile, zlib.error, ValueError, IndexError, RuntimeError, EOFError)


def is_xlsx(file: BinaryIO) -> bool:
    """Whether the file is a ZIP archive, as XLSX files are."""
    file.seek(0)
    start = file.read(4)
    file.seek(0)
    return start == b"PK\x03\x04"


def read_xlsx(file: BinaryIO) -> Generator[tuple[int, list[str] | Problem]]:
    """Each row that is not empty, with its number in the sheet; a Problem in place of a hidden one. Raises Invalid."""
    try:
        with xml_parts.open_archive(file) as archive:
            name = _first_sheet(archive)
            strings = Strings()
            if "xl/sharedStrings.xml" in archive.NameToInfo:
                for _ in parse(archive, "xl/sharedStrings.xml", strings):
                    pass
            sheet = Sheet(strings)
            for _ in parse(archive, name, sheet):
                yield from sheet.rows
                sheet.rows.clear()
    except KeyError as error:
        raise Invalid("The file is no spreadsheet: a part is missing", "file") from error
    except _BROKEN as error:
        raise Invalid(f"The file cannot be read: {type(error).__name__}", "file") from error


def _first_sheet(archive: zipfile.ZipFile) -> str:
    """The part of the first sheet that people see. Numbers in parts' names say nothing about their order."""
    book, places = _Workbook(), _Places()
    for name, reader in (("xl/workbook.xml", book), ("xl/_rels/workbook.xml.rels", places)):
        for _ in parse(archive, name, reader, SMALL):
            pass
    if not book.first:
        raise Invalid("The file has no visible sheet", "file")
    return posixpath.normpath(posixpath.join("/xl", places.found[book.first])).lstrip("/")


class _Workbook(Reader):
    """Keeps the relationship of the first visible sheet."""

    first = ""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "sheet" and not self.first and attributes.get("state", "visible") == "visible":
            self.first = next(value for name, value in attributes.items() if name.endswith("/relationships id"))


class _Places(Reader):
    """Keeps which part each relationship means."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "Relationship":
            self.found[attributes["Id"]] = attributes["Target"]
