"""The Central Bank's Pix API, receiver's side, as far as the platform uses it."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest
from django.utils import timezone

from bank_simulator import books, callbacks, faults, outgoing, shapes
from bank_simulator.models import Charge, Return, Webhook
from bank_simulator.problems import Problem
from bank_simulator.shapes import Body
from bank_simulator.views.http import SALT, Answer, api, open_api
from bank_simulator.views.lists import page, window
from payments.pix import ids, keys

COB = "CobOperacaoInvalida"
DEFAULT_EXPIRY = 86_400  # seconds


@open_api
def token(request: HttpRequest) -> Answer:
    """RFC 6749 client credentials, by HTTP Basic."""
    scheme, _, word = request.headers.get("Authorization", "").partition(" ")
    try:
        sent = base64.b64decode(word, validate=True)
    except (binascii.Error, ValueError):
        sent = b""
    known = f"{settings.BANK_CLIENT_ID}:{settings.BANK_CLIENT_SECRET}".encode()
    if scheme.lower() != "basic" or not hmac.compare_digest(sent, known):
        return 401, {"error": "invalid_client"}
    if request.POST.get("grant_type") != "client_credentials":
        return 400, {"error": "unsupported_grant_type"}
    current = faults.current()
    return {
        "access_token": signing.dumps(current.token_generation, salt=SALT),
        "token_type": "Bearer",
        "expires_in": current.token_seconds,
        "scope": "cob.read cob.write cobv.read cobv.write pix.read pix.write webhook.read webhook.write",
    }


@api
def put_charge(request: HttpRequest, txid: str) -> Answer:
    """Register the charge `txid`, or revise it."""
    if not ids.is_txid(txid):
        raise Problem(COB, 400, "O txid tem de 26 a 35 letras e dígitos.", "txid", txid)
    return 201, shapes.charge(books.register(txid, charge_fields(Body(request, COB)), request.get_host()))


@api
def post_charge(request: HttpRequest) -> Answer:
    """Register a charge under a txid of the bank."""
    fields = charge_fields(Body(request, COB))
    return 201, shapes.charge(books.register(ids.new_txid(), fields, request.get_host()))


def charge_fields(body: Body) -> dict[str, Any]:
    """The columns that immediate charges and those with a due date share."""
    info = body.get("infoAdicionais") or []
    if not isinstance(info, list) or len(info) > 50 or not all(_is_info(each) for each in info):
        raise body.refuse("infoAdicionais", "infoAdicionais deve ser uma lista de até 50 {nome, valor}")
    return {
        "pix_key": body.key("chave"),
        "value": body.value("valor.original"),
        "expires_in": body.whole("calendario.expiracao", 1, 2**31 - 1, DEFAULT_EXPIRY),
        "debtor": debtor_of(body),
        "payer_request": body.text("solicitacaoPagador", 140, ""),
        "additional_info": info,
    }


def _is_info(item: object) -> bool:
    if not isinstance(item, dict) or set(item) != {"nome", "valor"}:
        return False
    name, value = item["nome"], item["valor"]
    return isinstance(name, str) and isinstance(value, str) and 0 < len(name) <= 50 and 0 < len(value) <= 200


def debtor_of(body: Body) -> dict[str, str] | None:
    """Who is to pay, without an address; None where the body names nobody."""
    if body.get("devedor") is None:
        return None
    which = "cpf" if body.get("devedor.cpf") is not None else "cnpj"
    number = body.text(f"devedor.{which}", 14)
    try:
        fits = keys.parse_tax_id(number) == number and len(number) == (11 if which == "cpf" else 14)
    except keys.InvalidKey:
        fits = False
    if not fits:
        raise body.refuse(f"devedor.{which}", "não é um CPF ou CNPJ")
    return {which: number, "nome": body.text("devedor.nome", 200)}


@api
def get_charge(request: HttpRequest, txid: str) -> Answer:
    """A charge by its txid."""
    charge = Charge.objects.filter(txid=txid, due_date=None).first()
    if charge is None:
        raise Problem("CobNaoEncontrado", 404, f"Cobrança não encontrada: {txid}")
    return shapes.charge(charge)


@api
def patch_charge(request: HttpRequest, txid: str) -> Answer:
    """Change an active charge, or remove it."""
    body = Body(request, COB)
    if body.get("status") is not None:
        if body.data != {"status": Charge.Status.REMOVED}:
            raise body.refuse("status", "a remoção não vem junto de outra alteração")
        return shapes.charge(books.revise(txid, {"status": Charge.Status.REMOVED}))
    fields: dict[str, Any] = {}
    if body.get("valor") is not None:
        fields["value"] = body.value("valor.original")
    if body.get("calendario") is not None:
        fields["expires_in"] = body.whole("calendario.expiracao", 1, 2**31 - 1, DEFAULT_EXPIRY)
    if body.get("devedor") is not None:
        fields["debtor"] = debtor_of(body)
    if body.get("solicitacaoPagador") is not None:
        fields["payer_request"] = body.text("solicitacaoPagador", 140)
    return shapes.charge(books.revise(txid, fields))


@open_api
def payload(request: HttpRequest, token: str) -> Answer:
    """The charge, as a payer's bank fetches it. A real bank signs it (JWS); this one sends the payload alone."""
    charge = Charge.objects.filter(token=token, due_date=None).first()
    if charge is None:
        raise Problem("CobPayloadNaoEncontrado", 404, "Cobrança não encontrada.")
    if charge.status != Charge.Status.ACTIVE or timezone.now() > charge.expires_at:
        raise Problem("CobPayloadNaoEncontrado", 410, "A cobrança não pode mais ser paga.")
    body = shapes.payload(charge)
    body["calendario"]["apresentacao"] = shapes.moment(timezone.now())
    return body


@api
def list_charges(request: HttpRequest) -> Answer:
    """Charges created between `?inicio` and `?fim`."""
    start, end = window(request, "CobConsultaInvalida")
    rows = Charge.objects.filter(created_at__range=(start, end), due_date=None).order_by("created_at", "txid")
    if status := request.GET.get("status"):
        rows = rows.filter(status=status)
    found, parameters = page(request, rows, "CobConsultaInvalida", start, end)
    return {"parametros": parameters, "cobs": [shapes.charge(row) for row in found]}


@api
def list_received(request: HttpRequest) -> Answer:
    """Pix received between `?inicio` and `?fim`, by `?txid=` and with returns (`?devolucaoPresente=true`)."""
    start, end = window(request, "PixConsultaInvalida")
    rows = books.listed().filter(paid_at__range=(start, end)).prefetch_related("returns")
    if request.GET.get("devolucaoPresente") == "true":
        rows = rows.filter(returns__isnull=False).distinct()
    if txid := request.GET.get("txid"):
        rows = rows.filter(txid=txid)
    ordered = rows.order_by("paid_at", "end_to_end_id")
    found, parameters = page(request, ordered, "PixConsultaInvalida", start, end)
    return {"parametros": parameters, "pix": [shapes.pix(row) for row in found]}


@api
def get_received(request: HttpRequest, end_to_end_id: str) -> Answer:
    """A received Pix by its end-to-end id."""
    pix = books.listed().filter(pk=end_to_end_id).first()
    if pix is None:
        raise Problem("PixNaoEncontrado", 404, f"Pix não encontrado: {end_to_end_id}")
    return shapes.pix(pix)


@api
def put_return(request: HttpRequest, end_to_end_id: str, return_id: str) -> Answer:
    """Return all or part of a received Pix."""
    kind = "PixDevolucaoInvalida"
    if not ids.is_return_id(return_id):
        raise Problem(kind, 400, "O id tem de 1 a 35 letras e dígitos.", "id", return_id)
    body = Body(request, kind)
    comment = body.text("descricao", 140, "")
    row = outgoing.request_return(end_to_end_id, return_id, body.value("valor"), comment)
    callbacks.send_soon()
    return 201, shapes.returned(row)


@api
def get_return(request: HttpRequest, end_to_end_id: str, return_id: str) -> Answer:
    """A return by its id."""
    row = Return.objects.filter(pix=end_to_end_id, return_id=return_id).first()
    if row is None:
        raise Problem("PixDevolucaoNaoEncontrada", 404, f"Devolução não encontrada: {return_id}")
    return shapes.returned(row)


@api
def put_webhook(request: HttpRequest, key: str) -> Answer:
    """Set the callback address of a key."""
    url = Body(request, "WebhookOperacaoInvalida").text("webhookUrl", 500)
    if not url.startswith(("http://", "https://")):
        raise Problem("WebhookOperacaoInvalida", 400, "não é um endereço http(s)", "webhookUrl", url)
    Webhook.objects.update_or_create(
        pix_key=_key(key),
        defaults={"url": url.rstrip("/")},
        create_defaults={"url": url.rstrip("/"), "created_at": timezone.now()},
    )
    return {}


@api
def get_webhook(request: HttpRequest, key: str) -> Answer:
    """The callback address of a key."""
    row = Webhook.objects.filter(pk=_key(key)).first()
    if row is None:
        raise Problem("WebhookNaoEncontrado", 404, "Não há webhook para esta chave.")
    return {"webhookUrl": row.url, "chave": row.pix_key, "criacao": shapes.moment(row.created_at)}


@api
def delete_webhook(request: HttpRequest, key: str) -> Answer:
    """Remove the callback address of a key."""
    if not Webhook.objects.filter(pk=_key(key)).delete()[0]:
        raise Problem("WebhookNaoEncontrado", 404, "Não há webhook para esta chave.")
    return 204, None


def _key(text: str) -> str:
    try:
        return keys.parse(text).value
    except keys.InvalidKey as error:
        raise Problem("WebhookOperacaoInvalida", 400, str(error), "chave", text) from None
