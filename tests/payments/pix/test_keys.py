from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.pix import keys
from payments.pix.keys import InvalidKey, KeyType, PixKey

BASES = st.from_regex(r"[0-9]{9}|[0-9]{12}|[0-9A-Z]{12}", fullmatch=True).filter(lambda base: len(set(base)) > 1)


@pytest.mark.parametrize(
    ("text", "type_", "value"),
    [
        ("111.444.777-35", KeyType.CPF, "11144477735"),
        ("52998224725", KeyType.CPF, "52998224725"),
        ("11.222.333/0001-81", KeyType.CNPJ, "11222333000181"),
        ("00.000.000/0001-91", KeyType.CNPJ, "00000000000191"),
        ("12.ABC.345/01DE-35", KeyType.CNPJ, "12ABC34501DE35"),  # the Federal Revenue's own example
        ("12.abc.345/01de-35", KeyType.CNPJ, "12ABC34501DE35"),
        ("+55 (11) 99999-1234", KeyType.PHONE, "+5511999991234"),
        ("Fulano.de+Tal@Exemplo.COM.br ", KeyType.EMAIL, "fulano.de+tal@exemplo.com.br"),
        ("\u202a+55 11 99999-1234\u202c", KeyType.PHONE, "+5511999991234"),  # copied from a phone's contacts
        ("+55\u00a011\u00a099999\u20111234", KeyType.PHONE, "+5511999991234"),
        ("529.982.247\u201325", KeyType.CPF, "52998224725"),  # a word processor's dash
        ("\ufeff\u200b52998224725", KeyType.CPF, "52998224725"),
        ("\u2060ana@exemplo.com\u200b", KeyType.EMAIL, "ana@exemplo.com"),
        ("123e4567\u2010e89b\u201142d3\u2212a456-426614174000", KeyType.EVP, "123e4567-e89b-42d3-a456-426614174000"),
        ("123E4567-E89B-42D3-A456-426614174000", KeyType.EVP, "123e4567-e89b-42d3-a456-426614174000"),
    ],
)
def test_keys_are_normalised(text: str, type_: KeyType, value: str) -> None:
    assert keys.parse(text) == PixKey(type_, value)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "abc", "11144477736", "11111111111", "00000000000000", "11222333000182", "12ABC34501DE36",
        "12ABC34501DEA5", "+0511999999999", "+5511abc", "+", "+1234567890123456", "@", "a@b", "a b@c.com", "a@-b.com",
        f"{'a' * 70}@b.com.br", "123e4567e89b42d3a456426614174000", "123e4567-e89b-42d3-a456-42661417400g",
        "vendas%loja@exemplo.com", f"a@{'b' * 64}.com", "a@b-.com",  # the DICT's pattern has none of these
        "\u212a@exemplo.com", "\0", "١١١٤٤٤٧٧٧٣٥", "fulano@exemplo.com\0",
    ],
)  # fmt: skip
def test_no_keys(text: str) -> None:
    with pytest.raises(InvalidKey):
        keys.parse(text)


@given(BASES)
def test_check_digits_make_a_number_valid_and_only_they(base: str) -> None:
    digits = keys.check_digits(base)
    number = base + digits
    assert keys.parse_tax_id(keys.format_tax_id(number)) == number
    assert keys.parse(number).value == number
    wrong = base + f"{(int(digits) + 1) % 100:02d}"
    with pytest.raises(InvalidKey):
        keys.parse_tax_id(wrong)


@given(st.text())
def test_parse_survives_any_text(text: str) -> None:
    try:
        key = keys.parse(text)
    except InvalidKey:
        return
    assert keys.parse(key.value) == key
    assert len(key.value) <= 77


@given(st.uuids())
def test_random_keys(value: uuid.UUID) -> None:
    assert keys.parse(str(value).upper()) == PixKey(KeyType.EVP, str(value))


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("11144477735", "111.***.***-35"),
        ("11222333000181", "11.222.333/0001-81"),
        ("+5511999991234", "+55*****1234"),
        ("fulano@exemplo.com", "f***@exemplo.com"),
        ("123e4567-e89b-42d3-a456-426614174000", "123e4567-****-****-****-********4000"),
    ],
)
def test_masks(text: str, masked: str) -> None:
    assert keys.mask(keys.parse(text)) == masked
