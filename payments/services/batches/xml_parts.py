"""Parts of an XLSX archive, unpacked and parsed a piece at a time. Limits end it early, so that no file fills memory.

A ZIP archive can hold a thousand times its size, and a parser that builds elements needs twenty times that again.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from typing import IO, BinaryIO, Protocol, cast
from xml.parsers import expat

from payments.services.errors import Invalid

PIECE = 1 << 16  # bytes
DIRECTORY = 1 << 20  # bytes of the archive's list of parts: some ten thousand
LARGEST = 1 << 29  # bytes of a part, unpacked
RATIO = 100  # unpacked bytes for a packed one; those of large real spreadsheets are 5 to 30
FREE = 1 << 20  # unpacked bytes that need no such ratio
DEPTH = 64  # elements in each other
NAMES = 1_000  # different names of elements and attributes, each of which the parser remembers
PENDING = 1 << 18  # bytes of one tag
TOO_LARGE = "The file is too large once unpacked, or packed as no spreadsheet is"
_KINDS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# ECMA-376's two dialects, and what says where parts are.
_NAMESPACES = (
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://purl.oclc.org/ooxml/spreadsheetml/main",
    "http://schemas.openxmlformats.org/package/2006/relationships",
)


class Elements(Protocol):
    """What wants a part's elements. `tag` is the name alone, and empty for other vocabularies' elements."""

    def start(self, tag: str, attributes: dict[str, str]) -> None: ...
    def text(self, text: str) -> None: ...
    def end(self, tag: str) -> None: ...


class _Frugal:
    """The file, for `zipfile`, which would read a list of parts of any length at once."""

    def __init__(self, file: BinaryIO) -> None:
        self.seek, self.tell, self.seekable, self._read = file.seek, file.tell, file.seekable, file.read

    def read(self, size: int = -1) -> bytes:
        if size > max(DIRECTORY, PIECE):
            raise Invalid(TOO_LARGE, "file")
        return self._read(size)


def open_archive(file: BinaryIO) -> zipfile.ZipFile:
    """The archive. Raises Invalid, BadZipFile."""
    return zipfile.ZipFile(cast("IO[bytes]", _Frugal(file)))


def parse(archive: zipfile.ZipFile, name: str, reader: Elements, largest: int | None = None) -> Iterator[None]:
    """Tell the part's elements to `reader`; yields after each piece.

    Raises:
        Invalid: a limit was reached.
        ExpatError, BadZipFile, zlib.error, EOFError, RuntimeError, KeyError: it cannot be read, or is not there.
    """
    part = archive.getinfo(name)
    allowed = min(largest or LARGEST, max(FREE, RATIO * part.compress_size))
    if part.file_size > allowed or part.compress_type not in _KINDS:
        raise Invalid(TOO_LARGE, "file")
    names: dict[str, str] = {}
    parser = _parser(reader, names)
    fed = 0
    with archive.open(part) as source:  # which ends at the size that the archive gave
        while piece := source.read(PIECE):
            fed += len(piece)
            parser.Parse(piece, False)
            if len(names) > NAMES or fed - parser.CurrentByteIndex > PENDING:
                raise Invalid(TOO_LARGE, "file")
            yield
    parser.Parse(b"", True)
    yield


def _parser(reader: Elements, names: dict[str, str]) -> expat.XMLParserType:
    depth, tags = 0, _Tags()

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEPTH:
            raise Invalid(TOO_LARGE, "file")
        reader.start(tags[tag], attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        reader.end(tags[tag])

    def refuse(*_: object) -> None:  # spreadsheets have none; entities in it could grow without end
        raise Invalid("The file cannot be read: it declares a document type", "file")

    parser = expat.ParserCreate(namespace_separator=" ", intern=names)
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = reader.text, refuse
    return parser


class _Tags(dict[str, str]):
    """The name alone of each tag, found once: a million rows have ten million tags."""

    def __missing__(self, tag: str) -> str:
        namespace, _, name = tag.rpartition(" ")
        self[tag] = name if namespace in _NAMESPACES else ""
        return self[tag]
