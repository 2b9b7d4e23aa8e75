"""What a bank may send, and what nobody may."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.bank import parse_callback, wire
from payments.bank.port import BankReceived, BankReturn, ReturnStatus

PIX: dict[str, Any] = {
    "endToEndId": "E12345678202009091221abcdef12345",
    "txid": "cd1fe328c875481285a6f233ae41b662",
    "valor": "110.00",
    "horario": "2020-09-09T20:15:00.358-03:00",
    "chave": "loja@exemplo.com",
    "pagador": {"cpf": "11144477735", "nome": "Ana"},
    "infoPagador": "Reforma da casa",
    "devolucoes": [
        {
            "id": "000AAA111",
            "rtrId": "D12345678202009091000abcde123456",
            "valor": "11.00",
            "horario": {"solicitacao": "2020-09-10T20:15:00Z"},
            "status": "NAO_REALIZADO",
            "motivo": "conta encerrada",
        }
    ],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(PIX)), inner, max_size=5),
    max_leaves=12,
)


def callback(**changes: Any) -> bytes:
    return json.dumps({"pix": [{**PIX, **changes}]}).encode()


def test_all_fields() -> None:
    assert parse_callback(callback(novo={"campo": 1})) == [
        BankReceived(
            end_to_end_id="E12345678202009091221abcdef12345",
            txid="cd1fe328c875481285a6f233ae41b662",
            pix_key="loja@exemplo.com",
            value=11_000,
            paid_at=datetime(2020, 9, 9, 23, 15, 0, 358_000, tzinfo=UTC),
            payer_name="Ana",
            payer_tax_id="11144477735",
            payer_message="Reforma da casa",
            returns=(
                BankReturn(
                    "000AAA111", "D12345678202009091000abcde123456", 1100, ReturnStatus.REFUSED, "conta encerrada"
                ),
            ),
        )
    ]


def test_the_least_that_the_standard_demands() -> None:
    least = {name: PIX[name] for name in ("endToEndId", "valor", "horario")}
    (pix,) = parse_callback(json.dumps({"pix": [least]}).encode())
    assert (pix.txid, pix.pix_key, pix.payer_name, pix.returns) == ("", "", "", ())
    assert parse_callback(b'{"pix": []}') == []


def test_text_of_strangers_fits_a_database() -> None:
    (pix,) = parse_callback(callback(infoPagador="a\0b\ud800" + "x" * 500))
    assert pix.payer_message.startswith("ab?x")
    assert len(pix.payer_message) == 140


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b'{"pix": {}}',
        b'{"pix": [1]}',
        b'{"pix": ' + b"[" * 100_000,
        callback(endToEndId="E123"),
        callback(endToEndId=None),
        callback(endToEndId="E12345678202009091221abcdef1234\0"),
        callback(valor="110"),
        callback(valor="110.0"),
        callback(valor="-1.00"),
        callback(valor=110.0),
        callback(valor="١١٠.٠٠"),
    ],
)
def test_nonsense(body: bytes) -> None:
    with pytest.raises(ValueError, match="not a Pix callback"):
        parse_callback(body)


def test_an_item_that_cannot_be_read_does_not_take_its_neighbours_along(caplog: pytest.LogCaptureFixture) -> None:
    bad = {**PIX, "endToEndId": "E-bad é", "pagador": {"nome": "Beatriz"}}
    (pix,) = parse_callback(json.dumps({"pix": [bad, PIX, 1]}).encode())
    assert pix.end_to_end_id == PIX["endToEndId"]
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert "E-bad??" in caplog.text
    assert "Beatriz" not in caplog.text


def test_a_return_that_cannot_be_read_does_not_take_its_pix_along(caplog: pytest.LogCaptureFixture) -> None:
    (pix,) = parse_callback(callback(devolucoes=[{"id": "a b"}, *PIX["devolucoes"]]))
    assert [each.return_id for each in pix.returns] == ["000AAA111"]
    assert "a?b" in caplog.text


RETURN = PIX["devolucoes"][0]
MINUTE = datetime(2020, 9, 9, 12, 21, tzinfo=UTC)  # of the end-to-end id
ODD: list[tuple[dict[str, Any], dict[str, Any]]] = [  # what is told, and what it is read as
    ({"devolucoes": RETURN}, {"returns": parse_callback(callback())[0].returns}),
    *(({"devolucoes": odd}, {"returns": ()}) for odd in (None, {}, "", "x", 1, [None], [{}], {"id": "a"})),
    ({"devolucoes": [{**RETURN, "status": "?"}, RETURN]}, {"returns": parse_callback(callback())[0].returns}),
    *(({"txid": odd}, {"txid": ""}) for odd in (None, "", "***", "a b", "x" * 36, 7, ["x"])),
    ({"txid": f" {PIX['txid']} "}, {}),
    ({"endToEndId": f" {PIX['endToEndId']}\r\n"}, {}),
    ({"valor": " 110.00 "}, {}),
    *(({"horario": odd}, {"paid_at": MINUTE}) for odd in (None, "ontem", 1, {}, "2020-09-09T20:15:00")),
    ({"horario": "0001-01-01T00:00:00+23:59"}, {"paid_at": MINUTE}),
    *(({"infoPagador": odd}, {"payer_message": ""}) for odd in (None, ["x"], {}, True)),
    ({"infoPagador": 12}, {"payer_message": "12"}),
    *(({"pagador": odd}, {"payer_name": "", "payer_tax_id": ""}) for odd in (None, "Ana", ["x"], {})),
    *(({"chave": odd}, {"pix_key": ""}) for odd in (None, "", [1], {"a": 1})),
    *(
        ({"pagador": {kind: told, "nome": "Ana"}}, {"payer_tax_id": kept})
        for kind, told, kept in (
            ("cnpj", "12.345.678/0001-95", "12345678000195"),
            ("cnpj", "12345678000195", "12345678000195"),
            ("cnpj", "12.abc.345/01de-35", "12ABC34501DE35"),
            ("cnpj", 191, "00000000000191"),
            ("cnpj", "191", "00000000000191"),
            ("cnpj", "11144477735", "11144477735"),
            ("cnpj", 11144477735, "11144477735"),
            ("cnpj", "12.345.678/0001\u201195", "12345678000195"),
            ("cnpj", "\u202a12.345.678/0001-95\u202c", "12345678000195"),
            ("cnpj", "CNPJ 12.345.678/0001-95", ""),
            ("cpf", "111.444.777-35", "11144477735"),
            ("cpf", " 11144477735 ", "11144477735"),
            ("cpf", 1144477735, "01144477735"),
            ("cpf", "1144477735", "01144477735"),
            ("cpf", "111 444 777\u201335", "11144477735"),
            ("cpf", "***.444.777-**", ""),
            ("cpf", None, ""),
            ("cpf", ["x"], ""),
        )
    ),
    ({"pagador": {"cpf": "", "cnpj": "12.345.678/0001-95", "nome": "Ana"}}, {"payer_tax_id": "12345678000195"}),
]


@pytest.mark.parametrize(("told", "read"), ODD, ids=[str(told) for told, _ in ODD])
def test_an_odd_optional_part_does_not_lose_the_payment(told: dict[str, Any], read: dict[str, Any]) -> None:
    (usual,), (pix,) = parse_callback(callback()), parse_callback(callback(**told))
    assert pix == replace(usual, **read)


@pytest.mark.parametrize(
    ("named", "payer"),
    [
        (json.dumps("João", ensure_ascii=False).encode("latin-1"), "João"),
        ('"“Ana” – João"'.encode("cp1252"), "“Ana” – João"),
        (b'"Ana\nSouza\t"', "Ana\nSouza\t"),
        (b"NaN", "nan"),
        (b"1e999", "inf"),
    ],
    ids=["latin-1", "cp1252", "control characters", "NaN", "Infinity"],
)
def test_what_json_does_not_allow_in_an_optional_part_does_not_lose_the_payment(named: bytes, payer: str) -> None:
    body = callback(pagador={"nome": "?"}).replace(b'"?"', named)
    for whole in (body, b"\xef\xbb\xbf" + body):
        (pix,) = parse_callback(whole)
        assert (pix.end_to_end_id, pix.value, pix.payer_name) == (PIX["endToEndId"], 11_000, payer)


def test_one_object_stands_for_a_list_of_one() -> None:
    assert parse_callback(json.dumps({"pix": PIX}).encode()) == parse_callback(callback())


@pytest.mark.parametrize(("told", "read"), [({"rtrId": None}, ""), ({"rtrId": "?"}, ""), ({}, RETURN["rtrId"])])
def test_a_return_that_the_bank_made_is_read_with_what_it_has(told: dict[str, Any], read: str) -> None:
    made = {**RETURN, "id": "MED-0001", "natureza": "MED_FRAUDE", "motivo": None, **told}
    (pix,) = parse_callback(callback(devolucoes=made))
    assert pix.returns == (BankReturn("MED-0001", read, 1100, ReturnStatus.REFUSED, "", "MED_FRAUDE"),)


@pytest.mark.parametrize(("told", "read"), [(123456, "123456"), (" MED-0001\n", "MED-0001")])
def test_a_return_that_the_bank_made_has_the_banks_kind_of_id(told: object, read: str) -> None:
    (pix,) = parse_callback(callback(devolucoes={**RETURN, "id": told}))
    assert [each.return_id for each in pix.returns] == [read]


@given(st.binary() | JSON.map(lambda found: json.dumps({"pix": [found]}).encode()))
def test_survives_anything(body: bytes) -> None:
    with suppress(ValueError):
        assert isinstance(parse_callback(body), list)


@given(st.integers(0, 10**12 - 1))
def test_values_keep_every_centavo(value: int) -> None:
    assert wire.centavos(wire.reais(value)) == value
