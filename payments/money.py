"""Convert centavos to text as Brazilians write it, and back. Integers only."""

from __future__ import annotations

import re

# R$ 1.234,56 or 1234,56 or 1234: dots only between groups of three, centavos in full.
_TYPED = re.compile(r"(?:R\$)?\s*(\d{1,3}(?:\.\d{3})+|\d+)(?:,(\d{2}))?", re.ASCII)


def format_reais(centavos: int) -> str:
    """`123456` → `R$ 1.234,56`, with a no-break space, so that it stays on one line."""
    reais, rest = divmod(abs(centavos), 100)
    return f"{'-' if centavos < 0 else ''}R$\u00a0{reais:,}".replace(",", ".") + f",{rest:02d}"


def parse_reais(text: str) -> int:
    """`1.234,56` → `123456` centavos. Raises ValueError where the text is not a value in reais.

    `12.34` and `12,5` are refused rather than guessed at: a wrong guess is a wrong charge.
    """
    match = _TYPED.fullmatch(text.replace("\u00a0", " ").strip())
    if match is None:
        raise ValueError("not a value in reais")
    whole, cents = match.groups()
    return int(whole.replace(".", "")) * 100 + int(cents or 0)
