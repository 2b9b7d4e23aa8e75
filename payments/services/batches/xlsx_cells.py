"""What an XLSX file's cells hold: texts that cells share, and the rows of a sheet."""

from __future__ import annotations

import re
from array import array
from decimal import Decimal, InvalidOperation

from payments.services.batches.columns import TITLES, Problem, field_of
from payments.services.batches.tables import LONGEST
from payments.services.errors import Invalid

CELLS = 256  # of a row
LAST_ROW = 1_048_576  # Excel's own
STRINGS = 4_000_000  # texts that cells share: four of each of a million rows
TEXT = 1 << 27  # bytes of those texts together


class Reader:
    """Collects text while `is_text`, at most LONGEST characters between two calls of `take`."""

    def __init__(self) -> None:
        self.is_text, self._parts, self._size = False, list[str](), 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        raise NotImplementedError

    def end(self, tag: str) -> None:
        pass

    def text(self, text: str) -> None:
        if self.is_text:
            self._size += len(text)
            if self._size > LONGEST:
                raise Invalid(f"A cell has more than {LONGEST} characters", "file")
            self._parts.append(text)

    def take(self) -> str:
        text = "".join(self._parts)
        self.is_text, self._parts, self._size = False, [], 0
        return text


class Strings(Reader):
    """The texts that cells share, end to end: a list of them would need four times the memory."""

    def __init__(self) -> None:
        super().__init__()
        self._all, self._ends = bytearray(), array("L", [0])

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "t":  # a text may have several, formatted differently
            self.is_text = True

    def end(self, tag: str) -> None:
        if tag == "t":
            self.is_text = False
        elif tag == "si":
            self._all += self.take().encode()
            self._ends.append(len(self._all))
            if len(self._all) > TEXT or len(self._ends) > STRINGS + 1:
                raise Invalid(f"The file has more than {STRINGS} texts, or {TEXT} bytes of them", "file")

    def at(self, index: int) -> str:
        """Raises IndexError."""
        if index < 0:
            raise IndexError(index)
        return self._all[self._ends[index] : self._ends[index + 1]].decode()


class Sheet(Reader):
    """Collects whole rows in `rows`, which whoever parses takes away. One that is hidden is a Problem: a filter that
    was left on hides rows from whoever looks the file over, and a reader would pay them. A hidden column that would be
    read is refused for the same reason: people would see other keys or values than those that are paid.
    """

    def __init__(self, strings: Strings) -> None:
        super().__init__()
        self.rows: list[tuple[int, list[str] | Problem]] = []
        self._strings, self._number, self._cells, self._kind = strings, 0, list[str](), "n"
        self._hidden, self._hidden_columns = False, set[int]()

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "row":
            self._begin_row(attributes.get("r"))
            self._hidden = attributes.get("hidden") in {"1", "true"}
        elif tag == "c":
            self._begin_cell(attributes)
        elif tag == "col" and attributes.get("hidden") in {"1", "true"}:
            first, last = int(attributes["min"]), int(attributes["max"])
            self._hidden_columns.update(range(max(first - 1, 0), min(last, CELLS)))
        elif tag == ("t" if self._kind == "inlineStr" else "v"):
            self.is_text = True

    def end(self, tag: str) -> None:
        if tag in {"t", "v"}:
            self.is_text = False
        elif tag == "c":
            self._cells.append(self._value(self.take()))
        elif tag == "row" and any(cell.strip() for cell in self._cells):
            if self._hidden_columns:
                self._refuse_hidden()
            hidden = Problem(
                self._number, TITLES["reference"], "the row is hidden: show it in the spreadsheet, or delete it"
            )
            self.rows.append((self._number, hidden if self._hidden else self._cells))
            self._cells = []

    def _refuse_hidden(self) -> None:
        """Of the first row: raise Invalid where a title is that of a column to be read, and hidden."""
        for place, title in enumerate(self._cells):
            if place in self._hidden_columns and field_of(title):
                raise Invalid(f"The column {title[:20]} is hidden", "file")
        self._hidden_columns.clear()

    def _begin_row(self, given: str | None) -> None:
        before = self._number
        number = before + 1 if given is None else int(given) if re.fullmatch("[0-9]{1,7}", given) else 0
        if not before < number <= LAST_ROW:
            raise Invalid(f"The row after row {before} is not numbered from {before + 1} to {LAST_ROW}", "file")
        self._number, self._cells = number, []

    def _begin_cell(self, attributes: dict[str, str]) -> None:
        reference = attributes.get("r")
        place = _place(reference) if reference else len(self._cells)
        if place >= CELLS:
            raise Invalid(f"Row {self._number} has more than {CELLS} cells", "file")
        if place < len(self._cells):
            raise Invalid(f"Row {self._number} has its cells in no order", "file")
        self._cells += [""] * (place - len(self._cells))
        self._kind = attributes.get("t", "n")

    def _value(self, text: str) -> str:
        if self._kind == "s" and text:
            return self._strings.at(int(text))
        return _number(text) if self._kind == "n" and text else text


def _place(reference: str) -> int:
    """The column of a cell such as AB12, from 0. Raises ValueError for a column that no spreadsheet has."""
    letters = re.match(r"[A-Z]{1,3}", reference)
    if not letters:
        raise ValueError(reference)
    place = 0
    for letter in letters[0]:
        place = place * 26 + ord(letter) - 64
    return place - 1


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
