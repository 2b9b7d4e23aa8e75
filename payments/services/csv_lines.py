"""Lines of CSV files that people open in spreadsheets."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from typing import Any

# Values and phones begin with a sign too, but have nothing behind it to be worked out.
_FORMULA = re.compile(r"[=@\t\r\n]|[+-](?![\d.]*\Z)")


def line(values: Iterable[Any]) -> str:
    """The values as one line; None is an empty cell."""
    buffer = io.StringIO()
    csv.writer(buffer).writerow("" if value is None else _harmless(str(value)) for value in values)
    return buffer.getvalue()


def reais(centavos: int) -> str:
    """`-123456` → `-1234.56`."""
    whole, rest = divmod(abs(centavos), 100)
    return f"{'-' if centavos < 0 else ''}{whole}.{rest:02d}"


def _harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    return f"'{text}" if _FORMULA.match(text) else text
