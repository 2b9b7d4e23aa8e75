"""Small XLSX files, written by hand."""

from __future__ import annotations

import io
import zipfile

SCHEMA = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PLACES = "http://schemas.openxmlformats.org/package/2006/relationships"
HEADER = '<row r="1"><c r="A1" t="str"><v>id</v></c><c r="B1" t="str"><v>chave</v></c><c r="C1" t="str"><v>valor</v></c></row>'


def sheet(rows: str) -> str:
    return f"<worksheet {SCHEMA}><sheetData>{rows}</sheetData></worksheet>"


def xlsx(rows: str, strings: str = "", **parts: str) -> bytes:
    """A workbook of one sheet; `parts` are written in place of its own, or beside them."""
    written = {
        "xl/workbook.xml": f'<workbook {SCHEMA} xmlns:r="{OFFICE}"><sheets><sheet name="a" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PLACES}"><Relationship Id="rId1" Type="x" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": sheet(rows),
        "xl/sharedStrings.xml": f"<sst {SCHEMA}>{strings}</sst>",
        **parts,
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in written.items():
            archive.writestr(name, text)
    return file.getvalue()


def row(number: object, *texts: str) -> str:
    cells = "".join(f'<c t="inlineStr"><is><t>{text}</t></is></c>' for text in texts)
    return f'<row r="{number}">{cells}</row>'
