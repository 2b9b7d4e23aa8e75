"""Charges with a due date (cobv): their terms as the Pix API writes them, read as values."""

from __future__ import annotations

from datetime import date
from typing import Any

from payments.pix import overdue


def terms(value: int, due: date, valid_for: int, found: dict[str, Any]) -> overdue.Terms:
    """Terms of `valor` in the API. Raises KeyError, TypeError or ValueError where it has another shape."""
    discount = found.get("desconto")
    return overdue.Terms(
        value, due, valid_for, _part(found.get("multa")), _part(found.get("juros")), discount and _discount(discount)
    )


def _part(found: dict[str, Any] | None) -> overdue.Part | None:
    """A fine or interest: modality 1 is of centavos, 2 of percent with two places. The API's others are not known here."""
    if found is None:
        return None
    return overdue.Part(_hundredths(found["valorPerc"]), {1: False, 2: True}[int(found["modalidade"])])


def _discount(found: dict[str, Any]) -> overdue.Discount:
    modality = int(found["modalidade"])
    if modality not in overdue.MODALITIES.values():
        raise ValueError("modalidade")
    if modality not in overdue.UNTIL_DATE:
        return overdue.Discount(modality, per_day=_hundredths(found["valorPerc"]))
    steps = tuple(
        (date.fromisoformat(each["data"]), _hundredths(each["valorPerc"])) for each in found["descontoDataFixa"]
    )
    if not 1 <= len(steps) <= 3:
        raise ValueError("descontoDataFixa")
    return overdue.Discount(modality, steps)


def _hundredths(text: str) -> int:
    whole, _, rest = text.partition(".")
    if not (whole + rest).isdecimal() or len(rest) != 2 or len(whole) > 10:
        raise ValueError(text)
    return int(whole + rest)
