"""Which column is which, and what a row must hold."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from payments.money import format_reais, parse_reais
from payments.pix import keys
from payments.services.errors import Invalid

MAX_VALUE = 999_999_999_999  # centavos
# Names of columns, without case, accents and punctuation. The first of each is the template's.
NAMES = {
    "reference": ("identificador", "referencia", "id", "correlationid", "reference"),
    "pix_key": ("chave", "chavepix", "pix", "pixkey", "key", "destinationalias"),
    "value": ("valor", "valorr", "valorreais", "value", "amount"),
    "comment": ("descricao", "mensagem", "comentario", "comment", "description"),
}
TEMPLATE = "identificador;chave;valor;descricao\r\nsalario-2026-11-001;ana@exemplo.com;1.234,56;Salário de novembro\r\n"
TITLES = {field: names[0] for field, names in NAMES.items()}
REQUIRED = ("reference", "pix_key", "value")


class Row(NamedTuple):
    """A row that can be paid. `value` is centavos."""

    line: int
    reference: str
    pix_key: str
    value: int
    comment: str


class Problem(NamedTuple):
    """What is wrong with a row, in which column of the file."""

    line: int
    column: str
    reason: str


class Columns:
    """Reads rows by the names of the file's first row. Raises Invalid where a required column is missing or doubled.

    Args:
        by_lines: a row is a line, as in CSV. A cell with a line break then means a quote that swallowed rows.
        most: centavos that the company may send in one payment; None for no limit.
    """

    def __init__(self, header: list[str], *, by_lines: bool, most: int | None = None) -> None:
        if by_lines and _broken(header) is not None:
            raise Invalid("The file's first row holds a line break", "file")
        found: dict[str, int] = {}
        for place, title in enumerate(header):
            field = field_of(title)
            if field in found:
                raise Invalid(f"The file has two columns for {TITLES[field]}", "file")
            if field:
                found[field] = place
        if missing := [TITLES[field] for field in REQUIRED if field not in found]:
            raise Invalid(f"The file's first row has no column {', '.join(missing)}", "file")
        self._places, self._header, self._by_lines, self._most = found, header, by_lines, most

    def read(self, line: int, cells: list[str]) -> Row | list[Problem]:
        """The row, or everything that is wrong with it."""
        if self._by_lines and (broken := _broken(cells)) is not None:
            title = self._header[broken] if broken < len(self._header) else ""
            return [Problem(line, title[:20], 'holds a line break: a quote (") before it is left open')]
        text = {field: cells[place].strip() if place < len(cells) else "" for field, place in self._places.items()}
        problems: list[Problem] = []

        def wrong(field: str, reason: str) -> None:
            problems.append(Problem(line, TITLES[field], reason))

        reference, comment = text["reference"], text.get("comment", "")
        if not reference or len(reference) > 100 or not _printable(reference):
            wrong("reference", "must be 1 to 100 characters")
        if len(comment) > 140 or not _printable(comment):
            wrong("comment", "must be at most 140 characters")
        key, value = "", 0
        try:
            key = keys.parse(text["pix_key"]).value
        except keys.InvalidKey as error:
            wrong("pix_key", str(error))
        try:
            value = parse_reais(text["value"])
            if not 0 < value <= MAX_VALUE:
                wrong("value", "is out of range")
            elif self._most is not None and value > self._most:
                wrong("value", f"is more than the limit of one payment, {format_reais(self._most)}")
        except ValueError:
            wrong("value", "is no value in reais, such as 1.234,56")
        return problems or Row(line, reference, key, value, comment)


def _broken(cells: list[str]) -> int | None:
    """The first cell that holds a line break."""
    return next((place for place, cell in enumerate(cells) if "\n" in cell or "\r" in cell), None)


def field_of(title: str) -> str:
    """The field whose column has this title; empty for a column that is not read."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"[^a-z]", "", plain)
    return next((field for field, names in NAMES.items() if plain in names), "")


def _printable(text: str) -> bool:
    return text.isprintable() and "\ufffd" not in text
