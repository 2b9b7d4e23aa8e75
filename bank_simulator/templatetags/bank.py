"""Template filters for money and tax ids."""

from __future__ import annotations

from django import template

from payments.pix import keys

register = template.Library()


@register.filter
def money(centavos: int, english: bool) -> str:
    """123456 as R$ 1.234,56, or R$ 1,234.56 in English."""
    text = f"{abs(centavos) // 100:,}.{abs(centavos) % 100:02d}"
    return "R$ " + (text if english else text.translate(str.maketrans(",.", ".,")))


@register.filter
def tax_id(number: str) -> str:
    """A CPF or CNPJ with most digits hidden."""
    return keys.mask_tax_id(number)
