"""The bank's own API: sending, balance and statement; and the tools of a test: paying and faults."""

from __future__ import annotations

import uuid

from django.http import HttpRequest
from django.utils.dateparse import parse_datetime

from bank_simulator import books, callbacks, faults, shapes
from bank_simulator.models import Charge, Movement, Pix, Sent
from bank_simulator.problems import Problem
from bank_simulator.shapes import Body
from bank_simulator.views.http import Answer, api, open_api
from bank_simulator.views.pix import _page, _window
from payments.pix import ids, keys

SEND, PAY = "PixEnvioInvalido", "PagamentoInvalido"
MANNERS = ("normal", "lost", "duplicate", "delayed")


@api
def put_sent(request: HttpRequest, send_id: str) -> Answer:
    """`{"valor", "favorecido": {"chave"} or {"copiaECola"}, "mensagem"?}`."""
    if not ids.is_return_id(send_id):
        raise Problem(SEND, 400, "O id tem de 1 a 35 letras e dígitos.", "idEnvio", send_id)
    body = Body(request, SEND)
    value, message = body.value("valor"), body.text("mensagem", 140, "")
    if body.get("favorecido.copiaECola") is not None:
        target = books.read_code(body.text("favorecido.copiaECola", 512))
        if target.value not in {None, value}:
            raise Problem(SEND, 422, "O valor não é o do código.", "valor", shapes.reais(value))
        key = target.pix_key
    else:
        key = body.key("favorecido.chave")
    return 201, shapes.sent(books.send(send_id, key, value, message))


@api
def get_sent(request: HttpRequest, send_id: str) -> Answer:
    row = Sent.objects.filter(pk=send_id).first()
    if row is None:
        raise Problem("PixEnvioNaoEncontrado", 404, f"Envio não encontrado: {send_id}")
    return shapes.sent(row)


@api
def get_balance(request: HttpRequest) -> Answer:
    """Now, or `?em=`: as of that moment, as in a statement of a day that is over."""
    at = parse_datetime(request.GET["em"]) if "em" in request.GET else None
    if "em" in request.GET and (at is None or at.tzinfo is None):
        raise Problem("ExtratoConsultaInvalida", 400, "deve ser um horário com fuso (RFC 3339)", "em")
    total = books.balance(at)
    return {"saldo": ("-" if total < 0 else "") + shapes.reais(abs(total))}


@api
def get_statement(request: HttpRequest) -> Answer:
    start, end = _window(request, "ExtratoConsultaInvalida")
    rows = Movement.objects.filter(at__range=(start, end)).order_by("at", "end_to_end_id")
    page, parameters = _page(request, rows, "ExtratoConsultaInvalida", start, end)
    lines = [
        {
            "endToEndId": row.end_to_end_id,
            "tipo": "CREDITO" if row.value > 0 else "DEBITO",
            "valor": shapes.reais(abs(row.value)),
            "horario": shapes.moment(row.at),
        }
        for row in page
    ]
    return {"parametros": parameters, "movimentos": lines}


@open_api
def pay(request: HttpRequest) -> Answer:
    """Pay as a payer's bank would, or as it would not: `docs/bank.md` has the fields."""
    body = Body(request, PAY)
    manner = body.text("callback", 20, "normal")
    if manner not in MANNERS:
        raise body.refuse("callback", f"um de {', '.join(MANNERS)}")
    end_to_end_id = body.text("endToEndId", 32, "")
    if end_to_end_id:
        try:
            ids.parse(end_to_end_id)
        except ids.InvalidId as error:
            raise body.refuse("endToEndId", str(error)) from None
    try:
        payer = books.Payer(keys.parse_tax_id(body.text("payer.taxID", 18)), body.text("payer.name", 200))
    except keys.InvalidKey as error:
        raise body.refuse("payer.taxID", str(error)) from None
    target = _target(body)
    late = body.get("late") is True
    pix = books.pay(
        target,
        payer,
        value=body.whole("value", 1, 10**12 - 1, 0) or None,
        force=late or body.get("force") is True,
        callback=manner,
        message=body.text("message", 140, ""),
        end_to_end_id=end_to_end_id,
        now=books.after_expiry(target) if late else None,
    )
    callbacks.wake()
    return 201, {
        "endToEndId": pix.end_to_end_id,
        "txid": pix.txid,
        "value": pix.value,
        "paidAt": shapes.moment(pix.paid_at),
    }


def _target(body: Body) -> books.Target:
    if body.get("txid") is None:
        return books.read_code(body.text("br_code", 1024))
    charge = Charge.objects.filter(txid=body.text("txid", 35)).first()
    if charge is None:
        raise Problem("CobNaoEncontrado", 404, "Cobrança não encontrada.", "txid")
    return books.Target(charge, charge.pix_key, charge.value, charge.txid)


@open_api
def make_return(request: HttpRequest) -> Answer:
    """The bank gives a Pix back by itself: `{"endToEndId", "id"?, "value"?, "nature"?}`."""
    body = Body(request, PAY)
    end_to_end_id = body.text("endToEndId", 32)
    pix = Pix.objects.filter(pk=end_to_end_id).first()
    if pix is None:
        raise Problem("PixNaoEncontrado", 404, "Pix não encontrado.", "endToEndId")
    nature = body.text("nature", 20, "MED_FRAUDE")
    return_id = body.text("id", 35, f"MED{uuid.uuid4().hex[:12]}")
    value = body.whole("value", 1, 10**12 - 1, pix.value)
    row = books.request_return(end_to_end_id, return_id, value, "", nature)
    callbacks.wake()
    return 201, shapes.returned(row)


@open_api
def get_faults(request: HttpRequest) -> Answer:
    return dict(faults.as_dict())


@open_api
def put_faults(request: HttpRequest) -> Answer:
    faults.change(Body(request, "FalhaInvalida").data)
    return dict(faults.as_dict())


@open_api
def delete_faults(request: HttpRequest) -> Answer:
    faults.reset()
    return dict(faults.as_dict())
