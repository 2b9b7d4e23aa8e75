from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.money import format_reais, parse_reais


@pytest.mark.parametrize(
    ("typed", "centavos"),
    [
        ("12,34", 1234),
        ("1.234,56", 123456),
        ("1234,56", 123456),
        ("1234", 123400),
        ("R$ 0,01", 1),
        ("R$0,01", 1),
        (" 1.234.567,00 ", 123456700),
    ],
)
def test_reads_what_people_type(typed: str, centavos: int) -> None:
    assert parse_reais(typed) == centavos


@pytest.mark.parametrize(
    "typed", ["", "abc", "12.34", "12,5", "1,234.56", "1.23,00", "12,345", "-1,00", "1e3", "١٢", "12,34\0", "R$", ",50"]
)
def test_refuses_what_could_be_misread(typed: str) -> None:
    with pytest.raises(ValueError, match="reais"):
        parse_reais(typed)


@given(st.integers(0, 10**15))
def test_reads_what_it_writes(centavos: int) -> None:
    assert parse_reais(format_reais(centavos)) == centavos


def test_writes_as_brazil_does() -> None:
    assert [format_reais(n) for n in (0, 5, 123456, -100_000_000)] == [
        "R$\u00a00,00",
        "R$\u00a00,05",
        "R$\u00a01.234,56",
        "-R$\u00a01.000.000,00",
    ]
