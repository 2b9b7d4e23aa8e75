"""Lists by time and by page, as every list of the Pix API takes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime

from bank_simulator import shapes
from bank_simulator.problems import Problem

DEFAULT_PAGE, LARGEST_PAGE = 100, 1000  # items


def window(request: HttpRequest, kind: str) -> tuple[datetime, datetime]:
    """The times `?inicio` and `?fim`. Raises Problem of `kind` where one is missing, without zone or out of order."""
    moments = []
    for name in ("inicio", "fim"):
        text = request.GET.get(name, "")
        try:
            moment = parse_datetime(text)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise Problem(kind, 400, "deve ser um horário com fuso (RFC 3339)", name, text)
        moments.append(moment)
    start, end = moments
    if end < start:
        raise Problem(kind, 400, "fim é anterior a inicio", "fim")
    return start, end


def page(
    request: HttpRequest, rows: QuerySet[Any], kind: str, start: datetime, end: datetime
) -> tuple[QuerySet[Any], dict[str, Any]]:
    """The rows of the page that the request asks for, and the answer's `parametros`. Raises Problem of `kind`."""
    try:
        number = int(request.GET.get("paginacao.paginaAtual", 0))
        size = int(request.GET.get("paginacao.itensPorPagina", DEFAULT_PAGE))
    except ValueError:
        number, size = -1, -1
    if not 0 <= number < 1_000_000 or not 1 <= size <= LARGEST_PAGE:
        raise Problem(kind, 400, f"página de 0, com 1 a {LARGEST_PAGE} itens", "paginacao")
    total = rows.count()
    parameters = {
        "inicio": shapes.moment(start),
        "fim": shapes.moment(end),
        "paginacao": {
            "paginaAtual": number,
            "itensPorPagina": size,
            "quantidadeDePaginas": -(-total // size),
            "quantidadeTotalDeItens": total,
        },
    }
    return rows[number * size : (number + 1) * size], parameters
