"""Rows of a CSV file, as Brazilian spreadsheets write them, one at a time: encodings, separators, `sep=` lines."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Generator
from typing import BinaryIO

from payments.services.errors import Invalid

SEPARATORS = ";,\t|"
LONGEST = 32_768  # characters of a cell, Excel's own limit
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
        reader = csv.reader(text, delimiter=separator)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num + skipped, cells
    except csv.Error as error:
        raise Invalid(f"The file cannot be read: {error}", "file") from error
    finally:
        text.detach()


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
