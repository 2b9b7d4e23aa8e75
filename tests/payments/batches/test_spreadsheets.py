"""XLSX files: the first sheet that people see, and limits that end the reading before memory does."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from payments.models import Company, PayoutBatch, User
from payments.services import batches
from payments.services.batches import xlsx_cells, xml_parts
from payments.services.batches.columns import Problem
from payments.services.batches.xlsx import read_xlsx
from payments.services.errors import Invalid
from tests.payments import making
from tests.payments.batches.spreadsheets import HEADER, OFFICE, PLACES, SCHEMA, row, sheet, xlsx


def upload(shop: Company, maker: User, data: bytes) -> PayoutBatch:
    return batches.upload(shop, maker, "folha", io.BytesIO(data))


def problems(batch: PayoutBatch) -> list[tuple[int, str, str]]:
    return list(batch.found.order_by("line", "id").values_list("line", "column", "reason"))


def rows_of(data: bytes) -> list[tuple[int, list[str] | Problem]]:
    return list(read_xlsx(io.BytesIO(data)))


def test_a_spreadsheet(shop: Company, maker: User) -> None:
    strings = "".join(f"<si><t>{text}</t></si>" for text in ("identificador", "chave", "valor", "a"))
    header = '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="D1" t="s"><v>2</v></c></row>'
    first = '<row r="3"><c r="A3" t="s"><v>3</v></c><c r="B3"><v>11144477735</v></c><c r="D3"><v>1234.5</v></c></row>'
    second = '<row r="4"><c r="A4" t="inlineStr"><is><t>b</t></is></c><c r="B4" t="str"><v>ana@exemplo.com</v></c><c r="D4"><v>0.1</v></c></row>'
    third = (
        '<row r="5"><c r="A5"><v>7</v></c><c r="B5" t="str"><v>ana@exemplo.com</v></c><c r="D5"><v>0.105</v></c></row>'
    )
    batch = upload(shop, maker, xlsx(header + first + second + third, strings))
    found = list(batch.lines.order_by("line").values_list("line", "reference", "pix_key", "value"))
    assert found == [(3, "a", making.ANA, 123_450), (4, "b", "ana@exemplo.com", 10)]
    assert [(line, column) for line, column, _ in problems(batch)] == [(5, "valor")]


@pytest.mark.parametrize("rows", ["<row><c r='ÿ'/></row>", "<row r='1'><c t='s'><v>9</v></c></row>", "<row"])
def test_a_broken_spreadsheet(shop: Company, maker: User, rows: str) -> None:
    with pytest.raises(Invalid, match="cannot be read"):
        upload(shop, maker, xlsx(rows))


def test_the_first_sheet_that_people_see_is_read() -> None:
    book = f"""<workbook {SCHEMA} xmlns:r="{OFFICE}"><sheets>
        <sheet name="Listas" sheetId="3" state="veryHidden" r:id="rId3"/><sheet name="Velho" sheetId="4" state="hidden" r:id="rId3"/>
        <sheet name="Pagar" sheetId="2" r:id="rId2"/><sheet name="Antigo" sheetId="1" r:id="rId1"/></sheets></workbook>"""
    places = f"""<Relationships xmlns="{PLACES}"><Relationship Id="rId1" Target="worksheets/sheet1.xml"/>
        <Relationship Id="rId2" Target="/xl/worksheets/sheet2.xml"/><Relationship Id="rId3" Target="worksheets/sheet1.xml"/></Relationships>"""
    parts = {
        "xl/workbook.xml": book,
        "xl/_rels/workbook.xml.rels": places,
        "xl/worksheets/sheet2.xml": sheet(row(1, "pagar")),
    }
    assert rows_of(xlsx(row(1, "antigo"), **parts)) == [(1, ["pagar"])]


def test_rows_without_numbers_count_up() -> None:
    assert rows_of(xlsx('<row><c t="str"><v>a</v></c></row>' + row(5, "b") + '<row><c t="str"><v>c</v></c></row>')) == [
        (1, ["a"]),
        (5, ["b"]),
        (6, ["c"]),
    ]
    assert rows_of(xlsx(row(1_048_576, "last"))) == [(1_048_576, ["last"])]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (row(2, "a") + row(2, "b"), "after row 2 is not numbered from 3 to 1048576"),
        (row(9, "a") + row(3, "b"), "after row 9"),
        (row(-5, "a"), "after row 0"),
        (row(1_048_577, "a"), "after row 0"),
        (row("99999999999", "a"), "after row 0"),
        ('<row r="1"><c r="B1"/><c r="A1"/></row>', "cells in no order"),
        ('<row r="1"><c r="A1"/><c r="A1"/></row>', "cells in no order"),
        ('<row r="1"><c r="IW1"/></row>', "more than 256 cells"),
        (f'<row r="1">{"<c/>" * 257}</row>', "more than 256 cells"),
        (row(1, "x" * 32_769), "more than 32768 characters"),
        ("<a>" * 65 + "</a>" * 65, "too large"),
        ("".join(f"<a{n}/>" for n in range(1_001)), "too large"),
    ],
    ids=range(12),
)  # fmt: skip
def test_what_no_spreadsheet_has_is_refused_in_words(rows: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        rows_of(xlsx(rows))


@pytest.mark.parametrize(
    ("module", "name", "limit"),
    [
        (xml_parts, "LARGEST", 200),
        (xml_parts, "RATIO", 1),
        (xml_parts, "PENDING", 500),
        (xml_parts, "DIRECTORY", 100),
        (xlsx_cells, "STRINGS", 2),
        (xlsx_cells, "TEXT", 5),
    ],
    ids=str,
)
def test_each_limit_ends_the_reading(monkeypatch: pytest.MonkeyPatch, module: object, name: str, limit: int) -> None:
    strings = "<si><t>abc</t></si>" * 3
    data = xlsx(row(1, "a") + f'<row r="2" spans="{"1" * 1_000}"/>', strings)
    monkeypatch.setattr(xml_parts, "FREE", 1_000)
    monkeypatch.setattr(xml_parts, "PIECE", 64)
    assert rows_of(data) == [(1, ["a"])], "the control"
    monkeypatch.setattr(module, name, limit)
    with pytest.raises(Invalid, match=r"too large|more than"):
        rows_of(data)


def test_the_reading_stops_at_the_row_that_is_too_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_parts, "PIECE", 4_096)
    fed, feed = [], xlsx_cells.Sheet.start

    def counted(self: xlsx_cells.Sheet, tag: str, attributes: dict[str, str]) -> None:
        fed.append(tag)
        feed(self, tag, attributes)

    monkeypatch.setattr(xlsx_cells.Sheet, "start", counted)
    with pytest.raises(Invalid, match="more than 256 cells"):
        rows_of(xlsx(f'<row r="1">{"<c/>" * 100_000}</row>'))
    assert fed.count("c") == 257


@pytest.mark.parametrize(
    ("part", "text", "words"),
    [
        ("xl/workbook.xml", f"<workbook {SCHEMA}/>", "no visible sheet"),
        ("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{PLACES}"/>', "a part is missing"),
        ("xl/worksheets/sheet1.xml", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "declares a document type"),
    ],
)
def test_a_workbook_that_is_none(part: str, text: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        rows_of(xlsx(HEADER, **{part: text}))


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.replace(
            b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00"
        ),  # encrypted
        lambda data: data[: len(data) // 4] + b"\xff" * 40 + data[len(data) // 4 + 40 :],
    ],
    ids=["encrypted", "overwritten"],
)
def test_a_damaged_archive_is_refused(damage: Callable[[bytes], bytes]) -> None:
    whole = xlsx(HEADER)
    assert damage(whole) != whole
    with pytest.raises(Invalid, match="cannot be read"):
        rows_of(damage(whole))


@pytest.mark.parametrize("hidden", ["1", "true"])
def test_a_row_that_people_do_not_see_is_no_payout(shop: Company, maker: User, hidden: str) -> None:
    """A filter that was left on hides rows: whoever looks the file over would approve what is not on the screen."""
    seen, unseen = row(2, "a", "ana@exemplo.com", "1,00"), row(3, "b", "bia@exemplo.com", "9,00")
    unseen = unseen.replace("<row", f'<row hidden="{hidden}"')
    empty = row(4, "", "").replace("<row", '<row hidden="1"')
    batch = upload(shop, maker, xlsx(HEADER + seen + unseen + empty))
    assert problems(batch) == [(3, "identificador", "the row is hidden: show it in the spreadsheet, or delete it")]
    assert (batch.status, batch.rows, batch.total) == ("DRAFT", 1, 100)


def test_rows_that_say_that_they_are_shown_are_paid(shop: Company, maker: User) -> None:
    shown = row(2, "a", "ana@exemplo.com", "1,00").replace("<row", '<row hidden="0"')
    assert upload(shop, maker, xlsx(HEADER + shown)).status == "VALIDATED"


def test_a_header_that_people_do_not_see_is_refused(shop: Company, maker: User) -> None:
    with pytest.raises(Invalid, match="first row is hidden"):
        upload(shop, maker, xlsx(HEADER.replace("<row", '<row hidden="1"') + row(2, "a", "ana@exemplo.com", "1,00")))
