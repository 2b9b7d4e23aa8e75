"""Files as Brazilian spreadsheets write them; every row that cannot be paid is named, with its column and the reason."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import pytest

from payments.models import Company, PayoutBatch, User
from payments.services import batches, payments
from payments.services.batches.columns import TEMPLATE
from payments.services.errors import Invalid
from payments.services.payments import PaymentOrder
from tests.payments import making
from tests.payments.batches.conftest import HEADER, csv_of

Upload = Callable[[str], PayoutBatch]


def upload(shop: Company, maker: User, data: bytes) -> PayoutBatch:
    return batches.upload(shop, maker, "folha", io.BytesIO(data))


def problems(batch: PayoutBatch) -> list[tuple[int, str, str]]:
    return list(batch.found.order_by("line", "id").values_list("line", "column", "reason"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize(
    "text",
    [
        "identificador;chave;valor;descricao\r\na;ana@exemplo.com;1.234,56;Salário\r\n",
        "sep=;\r\nIDENTIFICADOR;Chave Pix;Valor (R$);Descrição\r\na;ana@exemplo.com;1234,56;Salário\r\n",
        'id,chave,valor,descrição\na,ana@exemplo.com,"1.234,56",Salário\n',
        "correlationID\tpixKey\tvalue\tcomment\na\tana@exemplo.com\tR$ 1.234,56\tSalário",
        "Descrição;valor;x;chave;id\r\n\r\nSalário;1234,56;;ANA@exemplo.com;a\r\n;;;;\r\n",
    ],
    ids=range(5),
)
def test_encodings_and_separators(shop: Company, maker: User, text: str, encoding: str) -> None:
    batch = upload(shop, maker, text.encode(encoding))
    row = batch.lines.get()
    assert (batch.status, batch.rows, batch.total) == ("VALIDATED", 1, 123_456), problems(batch)
    assert (row.reference, row.pix_key, row.value, row.comment) == ("a", "ana@exemplo.com", 123_456, "Salário")


def test_the_template_can_be_uploaded(uploaded: Upload) -> None:
    assert uploaded(TEMPLATE).status == "VALIDATED"


def test_every_problem_is_named(uploaded: Upload) -> None:
    batch = uploaded(
        HEADER
        + "a;ana@exemplo.com;1,00;\n"  # 2
        + ";nobody;12.34;\n"  # 3
        + f"b;{making.ANA[:-1]}0;0,00;\n"  # 4
        + f"c;+5511999991234;1,00;{'x' * 141}\n"  # 5
        + "a;ana@exemplo.com;2,00;\n"  # 6
        + "d\n"  # 7
    )
    assert [(line, column) for line, column, _ in problems(batch)] == [
        (3, "identificador"), (3, "chave"), (3, "valor"),
        (4, "chave"), (4, "valor"),
        (5, "descricao"),
        (6, "identificador"),
        (7, "chave"), (7, "valor"),
    ]  # fmt: skip
    assert (batch.status, batch.problems) == ("DRAFT", 5)
    assert "line 2" in problems(batch)[6][2].replace("linha", "line")
    with pytest.raises(Invalid):
        batches.submit(batch)


def test_a_reference_that_was_used_is_found(shop: Company, uploaded: Upload, approved: Upload) -> None:
    payments.create(shop, PaymentOrder("id-2", 100, pix_key="ana@exemplo.com"))
    assert [(line, reason) for line, _, reason in problems(uploaded(csv_of(3)))] == [
        (3, "was used for another payment")
    ]
    approved(csv_of(2, first=10))
    assert [reason for _, _, reason in problems(uploaded(csv_of(3, first=11)))] == ["is in another batch"]


def test_another_companys_references_are_free(shop: Company, uploaded: Upload, approved: Upload) -> None:
    approved(csv_of(2))
    other = making.company()
    theirs = User.objects.create_user("other@example.com", company=other)
    assert upload(other, theirs, csv_of(2).encode()).status == "VALIDATED"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no column"),
        (b"a;b;c\n1;2;3\n", "no column identificador, chave, valor"),
        (HEADER.encode(), "no rows"),
        (b"id;id;chave;valor\n", "two columns for identificador"),
        (b"PK\x03\x04 no zip", "cannot be read"),
        (b'id;chave;valor\n"' + b"x" * 40_000, "cannot be read"),
        (b"\0\0\0", "no column"),
    ],
    ids=range(7),
)
def test_a_file_that_cannot_be_read(shop: Company, maker: User, data: bytes, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        upload(shop, maker, data)
    assert not PayoutBatch.objects.exists()


def xlsx(rows: str, strings: str = "") -> bytes:
    schema = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("xl/worksheets/sheet1.xml", f"<worksheet {schema}><sheetData>{rows}</sheetData></worksheet>")
        archive.writestr("xl/sharedStrings.xml", f"<sst {schema}>{strings}</sst>")
    return file.getvalue()


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
