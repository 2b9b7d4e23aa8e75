"""Files as Brazilian spreadsheets write them; every row that cannot be paid is named, with its column and the reason."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from payments.models import Company, PayoutBatch, User
from payments.services import batches, payments
from payments.services.batches import tables
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


OBS = "identificador;chave;valor;obs\n"


def test_a_row_whose_cell_holds_a_line_break_is_named(uploaded: Upload) -> None:
    batch = uploaded(
        OBS
        + "a1;ana1@exemplo.com;1,00;ok\n"
        + 'a2;ana2@exemplo.com;1,00;"ver nota\n'  # swallows the next row, but for its last cell
        + 'a3;ana3@exemplo.com;1,00;"\n'
        + "a4;ana4@exemplo.com;1,00;ok\n"
    )
    assert (batch.status, batch.rows) == ("DRAFT", 2)
    assert problems(batch) == [(4, "obs", 'holds a line break: a quote (") before it is left open')]


def test_quotes_that_hold_one_line_are_none_of_the_files_faults(uploaded: Upload) -> None:
    batch = uploaded(
        OBS + 'a1;ana1@exemplo.com;"1,00";"o ""melhor"" deles; sim"\r\n' + 'a2;ana2@exemplo.com;1,00;6" x\r\n'
    )
    assert (batch.status, batch.rows) == ("VALIDATED", 2), problems(batch)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (OBS + 'a;ana@exemplo.com;1,00;"x\nb;ana@exemplo.com;1,00;"urgente\n', "Line 3 cannot be read"),
        (
            OBS + 'a;ana@exemplo.com;1,00;ok\nb;ana@exemplo.com;1,00;"x\nc;ana@exemplo.com;1,00;y\n',
            "Line 4 cannot be read",
        ),
        ('identificador;chave;valor;"obs\na;ana@exemplo.com;1,00;"\n', "first row holds a line break"),
        (OBS + ";" * 400 + "\n", "Line 2 and what its quotes hold have more than 300 characters"),
        (OBS + 'a;ana@exemplo.com;1,00;"' + "x;\n" * 150, "have more than 300 characters"),
    ],
    ids=range(5),
)
def test_quotes_and_lines_that_would_swallow_rows(
    uploaded: Upload, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    monkeypatch.setattr(tables, "LONGEST_ROW", 300, raising=False)
    with pytest.raises(Invalid, match=words):
        uploaded(text)
