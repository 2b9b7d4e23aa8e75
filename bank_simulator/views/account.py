"""The bank's own API for the account that the platform has here: sending, balance and statement."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.dateparse import parse_datetime

from bank_simulator import books, outgoing, shapes
from bank_simulator.models import Movement, Sent
from bank_simulator.problems import Problem
from bank_simulator.shapes import Body
from bank_simulator.views.http import Answer, api
from bank_simulator.views.lists import page, window
from payments.pix import ids

KIND = "PixEnvioInvalido"


@api
def put_sent(request: HttpRequest, send_id: str) -> Answer:
    """`{"valor", "favorecido": {"chave"} or {"copiaECola"} or {"conta": {…}}, "mensagem"?, "endToEndId"?}`."""
    if not ids.is_return_id(send_id):
        raise Problem(KIND, 400, "O id tem de 1 a 35 letras e dígitos.", "idEnvio", send_id)
    body = Body(request, KIND)
    to = Sent(
        send_id=send_id,
        value=body.value("valor"),
        message=body.text("mensagem", 140, ""),
        end_to_end_id=_end_to_end_id(body),
    )
    if body.get("favorecido.conta") is not None:
        to.account = "/".join(body.text(f"favorecido.conta.{name}", 20) for name in ("ispb", "agencia", "conta"))[:40]
    elif body.get("favorecido.copiaECola") is not None:
        target = books.read_code(body.text("favorecido.copiaECola", 512))
        if target.value not in {None, to.value}:
            raise Problem(KIND, 422, "O valor não é o do código.", "valor", shapes.reais(to.value))
        to.pix_key = target.pix_key
    else:
        to.pix_key = body.key("favorecido.chave")
    return 201, shapes.sent(outgoing.send(to))


def _end_to_end_id(body: Body) -> str:
    found = body.text("endToEndId", 32, "")
    try:
        return str(ids.parse(found)) if found else ""
    except ids.InvalidId:
        raise body.refuse("endToEndId", "não é um endToEndId") from None


@api
def get_sent(request: HttpRequest, send_id: str) -> Answer:
    """A sent Pix by its id."""
    row = Sent.objects.filter(pk=send_id).first()
    if row is None:
        raise Problem("PixEnvioNaoEncontrado", 404, f"Envio não encontrado: {send_id}")
    return shapes.sent(row)


@api
def get_balance(request: HttpRequest) -> Answer:
    """The balance now, or with `?em=` the balance just before that moment."""
    at = parse_datetime(request.GET["em"]) if "em" in request.GET else None
    if "em" in request.GET and (at is None or at.tzinfo is None):
        raise Problem("ExtratoConsultaInvalida", 400, "deve ser um horário com fuso (RFC 3339)", "em")
    total = books.balance(at)
    return {"saldo": ("-" if total < 0 else "") + shapes.reais(abs(total))}


@api
def get_statement(request: HttpRequest) -> Answer:
    """The account's movements between `?inicio` and `?fim`, in pages."""
    start, end = window(request, "ExtratoConsultaInvalida")
    rows = Movement.objects.filter(at__range=(start, end)).order_by("at", "end_to_end_id")
    rows_of_page, parameters = page(request, rows, "ExtratoConsultaInvalida", start, end)
    lines = [
        {
            "endToEndId": row.end_to_end_id,
            "tipo": "CREDITO" if row.value > 0 else "DEBITO",
            "valor": shapes.reais(abs(row.value)),
            "horario": shapes.moment(row.at),
        }
        for row in rows_of_page
    ]
    return {"parametros": parameters, "movimentos": lines}
