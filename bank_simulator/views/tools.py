"""Tools for tests: pay as any payer, return a Pix as the bank, order faults. They ask for no token."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from django.http import HttpRequest
from django.utils import timezone

from bank_simulator import books, buckets, callbacks, faults, outgoing, shapes
from bank_simulator.models import Charge, Pix
from bank_simulator.problems import Problem
from bank_simulator.shapes import Body
from bank_simulator.views.http import Answer, open_api
from payments.pix import ids, keys

KIND = "PagamentoInvalido"
CALLBACKS = ("normal", "lost", "duplicate", "delayed")


@open_api
def pay(request: HttpRequest) -> Answer:
    """Pay, also as no real bank would. The fields are in `docs/bank.md`."""
    body = Body(request, KIND)
    callback = body.text("callback", 20, "normal")
    if callback not in CALLBACKS:
        raise body.refuse("callback", f"um de {', '.join(CALLBACKS)}")
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
        callback=callback,
        message=body.text("message", 140, ""),
        end_to_end_id=end_to_end_id,
        now=books.after_expiry(target) if late else _moment(body),
    )
    callbacks.send_soon()
    return 201, {
        "endToEndId": pix.end_to_end_id,
        "txid": pix.txid,
        "value": pix.value,
        "paidAt": shapes.moment(pix.paid_at),
    }


def _moment(body: Body) -> datetime | None:
    """When it is paid, by `at`. None for now."""
    if body.get("at") is None:
        return None
    try:
        return datetime.fromisoformat(body.text("at", 40)).astimezone(UTC)
    except ValueError:
        raise body.refuse("at", "um horário ISO 8601") from None


def _target(body: Body) -> books.Target:
    if body.get("txid") is None:
        return books.read_code(body.text("br_code", 1024))
    charge = Charge.objects.filter(txid=body.text("txid", 35)).first()
    if charge is None:
        raise Problem("CobNaoEncontrado", 404, "Cobrança não encontrada.", "txid")
    return books.Target(charge, charge.pix_key, charge.worth(timezone.now()), charge.txid)


@open_api
def make_return(request: HttpRequest) -> Answer:
    """Return a Pix on the bank's own account: `{"endToEndId", "id"?, "value"?, "nature"?}`."""
    body = Body(request, KIND)
    end_to_end_id = body.text("endToEndId", 32)
    pix = Pix.objects.filter(pk=end_to_end_id).first()
    if pix is None:
        raise Problem("PixNaoEncontrado", 404, "Pix não encontrado.", "endToEndId")
    nature = body.text("nature", 20, "MED_FRAUDE")
    return_id = body.text("id", 35, f"MED{uuid.uuid4().hex[:12]}")
    value = body.whole("value", 1, 10**12 - 1, pix.value)
    row = outgoing.request_return(end_to_end_id, return_id, value, "", nature)
    callbacks.send_soon()
    return 201, shapes.returned(row)


@open_api
def get_faults(request: HttpRequest) -> Answer:
    """The faults in force."""
    return dict(faults.as_dict())


@open_api
def put_faults(request: HttpRequest) -> Answer:
    """Change some of the faults."""
    faults.change(Body(request, "FalhaInvalida").data)
    return dict(faults.as_dict())


@open_api
def delete_faults(request: HttpRequest) -> Answer:
    """Set the defaults, and fill the buckets of look-ups."""
    faults.reset()
    buckets.refill()
    return dict(faults.as_dict())
