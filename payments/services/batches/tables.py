"""Rows of a CSV file, as Brazilian spreadsheets write them, one at a time: encodings, separators, `sep=` lines."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Generator, Iterator
from typing import BinaryIO

from payments.services.errors import Invalid

SEPARATORS = ";,\t|"
LONGEST = 32_768  # characters of a cell, Excel's own limit
LONGEST_ROW = 1 << 20  # characters
BLOCK = 1 << 20
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def read_csv(file: BinaryIO) -> Generator[tuple[int, list[str]]]:
    """Each row that is not empty, with the number of its last line in the file, from 1. Raises Invalid."""
    text = io.TextIOWrapper(file, _encoding(file), errors="replace", newline="")
    try:
        head = text.readline(LONGEST)
        if head.lower().startswith("sep=") and len(head.strip()) == 5:
            separator, skipped = head.strip()[4], 1
        else:
            separator, skipped = max(SEPARATORS, key=head.count), 0
            text.seek(0)
        csv.field_size_limit(LONGEST)
        lines = _Lines(text, skipped)
        # Strict: a quote that is left open swallows rows, and is told by what comes after the next quote.
        for cells in csv.reader(lines, delimiter=separator, strict=True):
            lines.end_row()
            if any(cell.strip() for cell in cells):
                yield lines.number, cells
    except csv.Error as error:
        raise Invalid(f"Line {lines.number} cannot be read: {error}", "file") from error
    finally:
        text.detach()


class _Lines:
    """The file's lines, counted in `number`. One row takes LONGEST_ROW characters at most, also where quotes hold line breaks."""

    def __init__(self, text: io.TextIOWrapper, number: int) -> None:
        self.number, self._text, self._left = number, text, LONGEST_ROW

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(self._left + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self._left -= len(line)
        if self._left < 0:
            raise Invalid(
                f"Line {self.number} and what its quotes hold have more than {LONGEST_ROW} characters", "file"
            )
        return line

    def end_row(self) -> None:
        self._left = LONGEST_ROW


def _encoding(file: BinaryIO) -> str:
    """UTF-8 or UTF-16 by its mark, UTF-8 where all of the file is, else Windows' Western European."""
    file.seek(0)
    start = file.read(3)
    for mark, name in BOMS:
        if start.startswith(mark):
            file.seek(0)
            return name
    file.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while block := file.read(BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    finally:
        file.seek(0)
    return "utf-8"
