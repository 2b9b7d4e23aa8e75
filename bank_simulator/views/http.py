"""What the API's views share: the access token, and refusals as problem+json."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.core import signing
from django.http import HttpRequest, HttpResponse, JsonResponse

from bank_simulator import faults
from bank_simulator.problems import Problem

SALT = "bank-token"

Answer = dict[str, Any] | tuple[int, dict[str, Any] | None]
View = Callable[..., Answer]


def refusal(problem: Problem) -> HttpResponse:
    """The problem as an answer (RFC 7807)."""
    return JsonResponse(problem.body(), status=problem.status, content_type="application/problem+json")


def open_api(view: View) -> Callable[..., HttpResponse]:
    """Decorate a view that needs no token. It returns a JSON body, or a status and a body, or raises Problem."""

    @functools.wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            result = view(request, *args, **kwargs)
        except Problem as problem:
            return refusal(problem)
        status, body = result if isinstance(result, tuple) else (200, result)
        return HttpResponse(status=status) if body is None else JsonResponse(body, status=status)

    return answer


def api(view: View) -> Callable[..., HttpResponse]:
    """Decorate a view that needs the platform's access token."""

    @functools.wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Answer:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        current = faults.current()
        try:
            generation = signing.loads(token, salt=SALT, max_age=current.token_seconds)
        except signing.BadSignature:
            generation = None
        if scheme.lower() != "bearer" or generation != current.token_generation:
            raise Problem("AcessoNaoAutorizado", 401, "Token ausente, inválido ou vencido.")
        return view(request, *args, **kwargs)

    return open_api(guarded)


def methods(**views: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Dispatch one path by method: `methods(GET=read, PUT=write)`."""

    def dispatch(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if "\0" in request.path or "%00" in request.META["QUERY_STRING"]:  # PostgreSQL's text cannot hold it
            return refusal(Problem("RequisicaoInvalida", 400, "O endereço contém um caractere nulo."))
        view = views.get(request.method or "")
        if view is None:
            return refusal(Problem("RequisicaoInvalida", 405, f"Método não aceito: {request.method}"))
        return view(request, *args, **kwargs)

    return dispatch
