"""Charges with a due date, of the Central Bank's Pix API."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from bank_simulator import books, due, shapes
from bank_simulator.models import Charge
from bank_simulator.problems import Problem
from bank_simulator.shapes import Body
from bank_simulator.views.http import Answer, api, open_api
from bank_simulator.views.pix import charge_fields, debtor_of
from payments.pix import ids
from payments.pix.business_days import local_day

COBV = "CobVOperacaoInvalida"
MOST_DAYS = 3_650
DEFAULT_VALIDITY = 30  # days after the due date


@api
def put_charge(request: HttpRequest, txid: str) -> Answer:
    """Register the charge `txid`, or revise it."""
    if not ids.is_txid(txid):
        raise Problem(COBV, 400, "O txid tem de 26 a 35 letras e dígitos.", "txid", txid)
    body = Body(request, COBV)
    debtor = debtor_of(body)
    if debtor is None:
        raise body.refuse("devedor", "devedor é obrigatório")
    address = {name: body.text(f"devedor.{name}", 200) for name in ("logradouro", "cidade", "uf", "cep")}
    fields = charge_fields(body) | _calendar(body) | {"debtor": debtor | address, "terms": _terms(body)}
    _check(body, fields)
    return 201, shapes.charge(books.register(txid, fields, request.get_host()))


def _calendar(body: Body) -> dict[str, Any]:
    try:
        day = date.fromisoformat(body.text("calendario.dataDeVencimento", 10))
    except ValueError:
        raise body.refuse("calendario.dataDeVencimento", "uma data como 2026-12-31") from None
    valid_for = body.whole("calendario.validadeAposVencimento", 0, MOST_DAYS, DEFAULT_VALIDITY)
    return {"due_date": day, "valid_for": valid_for}


def _terms(body: Body) -> dict[str, Any]:
    return {name: found for name in ("multa", "juros", "desconto") if (found := body.get(f"valor.{name}")) is not None}


def _check(body: Body, fields: dict[str, Any]) -> None:
    """Refuse what the API forbids: a due date that is over, a discount of everything, or one after the due date."""
    if fields["due_date"] < local_day(timezone.now()):
        raise body.refuse("calendario.dataDeVencimento", "não pode ser anterior à criação da cobrança")
    try:
        found = due.terms(fields["value"], fields["due_date"], fields["valid_for"], fields["terms"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise body.refuse("valor", "multa, juros ou desconto não respeita o schema") from None
    discount = found.discount
    if discount and any(until > found.due for until, _ in discount.steps):
        raise body.refuse("valor.desconto", "desconto posterior à data de vencimento")
    if discount and discount.on(local_day(timezone.now()), found.due_day, found.value) >= found.value:
        raise body.refuse("valor.desconto", "desconto maior ou igual ao valor da cobrança")


@api
def get_charge(request: HttpRequest, txid: str) -> Answer:
    """A charge by its txid."""
    return shapes.charge(_known(txid))


@api
def patch_charge(request: HttpRequest, txid: str) -> Answer:
    """Move an active charge's due date and validity, or remove it."""
    _known(txid)
    body = Body(request, COBV)
    if body.get("status") is not None:
        if body.data != {"status": Charge.Status.REMOVED}:
            raise body.refuse("status", "a remoção não vem junto de outra alteração")
        return shapes.charge(books.revise(txid, {"status": Charge.Status.REMOVED}))
    return shapes.charge(books.revise(txid, _calendar(body)))


def _known(txid: str) -> Charge:
    charge = Charge.objects.filter(txid=txid, due_date__isnull=False).first()
    if charge is None:
        raise Problem("CobVNaoEncontrada", 404, f"Cobrança não encontrada: {txid}")
    return charge


@open_api
def payload(request: HttpRequest, token: str) -> Answer:
    """The charge as a payer's bank fetches it, with what it is worth on `?DPP=` (default: today). Not signed."""
    charge = Charge.objects.filter(token=token, due_date__isnull=False).first()
    if charge is None:
        raise Problem("CobPayloadNaoEncontrado", 404, "Cobrança não encontrada.")
    today = local_day(timezone.now())
    try:
        day = date.fromisoformat(request.GET.get("DPP") or today.isoformat())
    except ValueError:
        raise Problem("CobPayloadOperacaoInvalida", 400, "DPP não é uma data.", "DPP") from None
    last = charge.due.last_day
    if charge.status != Charge.Status.ACTIVE or today > last:
        raise Problem("CobPayloadNaoEncontrado", 410, "A cobrança não pode mais ser paga.")
    if not today <= day <= last:
        raise Problem("CobPayloadOperacaoInvalida", 400, "DPP fora da validade da cobrança.", "DPP")
    body = shapes.payload(charge, day)
    body["calendario"]["apresentacao"] = shapes.moment(timezone.now())
    return body
