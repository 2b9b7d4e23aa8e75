"""What the bank does: register charges, take payments, give money back, send. Each verb is one transaction."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from payments.bank.simulator import faults
from payments.bank.simulator.models import Callback, Charge, Movement, Pix, Return, Sent, Settlement, Webhook
from payments.bank.simulator.problems import Problem
from payments.pix import brcode, ids

RETURN_WINDOW = timedelta(days=90)


@dataclass(frozen=True)
class Payer:
    tax_id: str
    name: str


@dataclass(frozen=True)
class Target:
    """What a payer's bank reads from a code: a charge of ours, or a key and what its static code says."""

    charge: Charge | None
    pix_key: str
    value: int | None  # centavos
    txid: str


def register(txid: str, fields: dict[str, Any], host: str, now: datetime | None = None) -> Charge:
    """Create the charge `txid`, or revise it while it is active. The same fields again change nothing.

    `host` is where its payload is served: it goes into the BR Code.
    """
    token = secrets.token_hex(16)
    location = f"{host}/qr/v2/cob/{token}"
    code = brcode.BrCode(name=settings.ACCOUNT_HOLDER, city=settings.ACCOUNT_CITY, url=location, single_use=True)
    fresh = {**fields, "token": token, "location": location, "br_code": brcode.encode(code)}
    charge, created = Charge.objects.get_or_create(txid=txid, defaults={**fresh, "created_at": now or timezone.now()})
    if created or all(getattr(charge, name) == value for name, value in fields.items()):
        return charge
    return revise(txid, fields)


def revise(txid: str, fields: dict[str, Any]) -> Charge:
    """Change an active charge."""
    with transaction.atomic():
        charge = Charge.objects.select_for_update().filter(txid=txid).first()
        if charge is None:
            raise Problem("CobNaoEncontrado", 404, f"Cobrança não encontrada: {txid}")
        if charge.status != Charge.Status.ACTIVE:
            raise Problem("CobOperacaoInvalida", 400, f"A cobrança não está ATIVA: {charge.status}", "cob.status")
        for name, value in fields.items():
            setattr(charge, name, value)
        charge.revision += 1
        charge.save()
    return charge


def read_code(text: str) -> Target:
    """What `text` asks to be paid. Raises Problem for a broken code or one of another bank."""
    try:
        code = brcode.decode(text)
    except brcode.InvalidBrCode as error:
        raise Problem("CodigoInvalido", 400, str(error), "br_code") from None
    if code.key:
        return Target(None, code.key, code.value, code.txid)
    token = code.url.rpartition("/")[2]
    charge = Charge.objects.filter(token=token).first()
    if charge is None:
        raise Problem("CobPayloadNaoEncontrado", 404, "Cobrança não encontrada neste banco.", "br_code")
    return Target(charge, charge.pix_key, charge.value, charge.txid)


def pay(
    target: Target,
    payer: Payer,
    *,
    value: int | None = None,
    force: bool = False,
    callback: str = "normal",
    message: str = "",
    end_to_end_id: str = "",
    now: datetime | None = None,
) -> Pix:
    """Take a payment of `value` centavos (default: what is asked).

    `force` pays what a payer's bank would not: a charge that is paid, expired or removed, or another value. `callback`
    is normal, lost, duplicate or delayed. A payment whose `end_to_end_id` is known is not made again. `now` may lie in
    the future, for a payment that comes late; its callback does not wait for it.
    """
    now = now or timezone.now()
    amount = value or target.value
    if not amount:
        raise Problem("PagamentoRecusado", 422, "O código não tem valor: informe um.", "value")
    with transaction.atomic():
        if end_to_end_id and (known := Pix.objects.filter(pk=end_to_end_id).first()):
            return known
        if target.charge:
            charge = Charge.objects.select_for_update().get(pk=target.charge.pk)
            if not force:
                _refuse_unpayable(charge, amount, now)
            if charge.status == Charge.Status.ACTIVE:
                Charge.objects.filter(pk=charge.pk).update(status=Charge.Status.PAID)
        pix = Pix.objects.create(
            end_to_end_id=end_to_end_id or ids.mint("E", settings.PAYER_ISPB, now),
            txid=target.txid,
            pix_key=target.pix_key,
            value=amount,
            payer_tax_id=payer.tax_id,
            payer_name=payer.name,
            payer_message=message,
            paid_at=now,
        )
        Movement.objects.create(end_to_end_id=pix.end_to_end_id, value=amount, at=now)
        _tell(pix, callback, timezone.now())
    return pix


def after_expiry(target: Target) -> datetime | None:
    """The moment of a payment that comes late: a minute after the charge's end, or now where that is past."""
    if target.charge is None:
        return None
    return max(target.charge.expires_at + timedelta(minutes=1), timezone.now())


def _refuse_unpayable(charge: Charge, value: int, now: datetime) -> None:
    if charge.status != Charge.Status.ACTIVE:
        raise Problem("PagamentoRecusado", 422, f"A cobrança não pode ser paga: {charge.status}", "status")
    if now > charge.expires_at:
        raise Problem("PagamentoRecusado", 422, "A cobrança expirou.", "expiracao")
    if value != charge.value:
        raise Problem("PagamentoRecusado", 422, "O valor não é o da cobrança.", "value", value)


def _tell(pix: Pix, manner: str, now: datetime) -> None:
    """Owe the platform the news of `pix`. Banks tell only of Pix with a txid, and only where a webhook is set."""
    chances = faults.current()
    if manner == "lost" or faults.happens(chances.callback_lost_percent):
        return
    if not pix.txid or not Webhook.objects.filter(pk=pix.pix_key).exists():
        return
    late = manner == "delayed" or faults.happens(chances.callback_reorder_percent)
    first = Callback(pix=pix, due_at=now + faults.callback_delay() if late else now)
    twice = manner == "duplicate" or faults.happens(chances.callback_duplicate_percent)
    Callback.objects.bulk_create([first, Callback(pix=pix, due_at=first.due_at)] if twice else [first])


def request_return(end_to_end_id: str, return_id: str, value: int, comment: str, now: datetime | None = None) -> Return:
    """Give `value` centavos of a Pix back. The same id and value again is the same return."""
    now = now or timezone.now()
    with transaction.atomic():
        pix = Pix.objects.select_for_update().filter(pk=end_to_end_id).first()
        if pix is None:
            raise Problem("PixNaoEncontrado", 404, f"Pix não encontrado: {end_to_end_id}")
        known = pix.returns.filter(return_id=return_id).first()
        if known and known.value == value:
            return known
        if known:
            raise Problem("PixDevolucaoInvalida", 400, "Já há uma devolução com este id.", "devolucao.id", return_id)
        if now > pix.paid_at + RETURN_WINDOW:
            raise Problem("PixDevolucaoInvalida", 400, "O prazo de 90 dias acabou.", "pix.horario")
        given = pix.returns.exclude(status=Settlement.REFUSED).aggregate(sum=Sum("value"))["sum"] or 0
        if given + value > pix.value:
            raise Problem("PixDevolucaoInvalida", 400, "A soma passa do valor do Pix.", "devolucao.valor", value)
        row = Return.objects.create(
            rtr_id=ids.mint("D", settings.BANK_ISPB, now),
            pix=pix,
            return_id=return_id,
            value=value,
            comment=comment,
            requested_at=now,
            due_at=now + timedelta(milliseconds=faults.current().settle_ms),
            reason="Recusada pelo banco do pagador" if faults.happens(faults.current().return_refused_percent) else "",
        )
        if row.due_at <= now:
            _settle_return(row, now)
    return row


def send(send_id: str, pix_key: str, value: int, message: str, now: datetime | None = None) -> Sent:
    """Send `value` centavos to a key. The same id, key and value again is the same Pix; there is no funds check."""
    now = now or timezone.now()
    if pix_key == "pix-key-not-found@woovi.com":
        raise Problem("ChaveNaoEncontrada", 422, "A chave Pix não existe.", "favorecido.chave")
    with transaction.atomic():
        row, created = Sent.objects.get_or_create(
            send_id=send_id,
            defaults={
                "end_to_end_id": ids.mint("E", settings.BANK_ISPB, now),
                "pix_key": pix_key,
                "value": value,
                "message": message,
                "requested_at": now,
                "due_at": now + timedelta(milliseconds=faults.current().settle_ms),
                "reason": "Recusado pelo banco do recebedor" if pix_key == "bank-error@woovi.com" else "",
            },
        )
        if (row.pix_key, row.value) != (pix_key, value):
            raise Problem("PixEnvioInvalido", 409, "Já há um envio com este id.", "idEnvio", send_id)
        if created and row.due_at <= now:
            _settle_sent(row, now)
    return row


def settle_due(now: datetime | None = None) -> None:
    """End the returns and sent Pix whose time has come. A `reason` set beforehand means that it fails."""
    now = now or timezone.now()
    with transaction.atomic():
        open_ = {"status": Settlement.PROCESSING, "due_at__lte": now}
        for back in Return.objects.select_for_update(of=("self",)).select_related("pix").filter(**open_)[:200]:
            _settle_return(back, now)
        for sent in Sent.objects.select_for_update().filter(**open_)[:200]:
            _settle_sent(sent, now)


def _settle_return(row: Return, now: datetime) -> None:
    row.status, row.settled_at = (Settlement.REFUSED, now) if row.reason else (Settlement.RETURNED, now)
    row.save(update_fields=["status", "settled_at"])
    if row.status == Settlement.RETURNED:
        Movement.objects.create(end_to_end_id=row.rtr_id, value=-row.value, at=now)
    _tell(row.pix, "normal", now)


def _settle_sent(row: Sent, now: datetime) -> None:
    row.status, row.settled_at = (Settlement.REFUSED, now) if row.reason else (Settlement.SENT, now)
    row.save(update_fields=["status", "settled_at"])
    if row.status == Settlement.SENT:
        Movement.objects.create(end_to_end_id=row.end_to_end_id, value=-row.value, at=now)


def balance() -> int:
    """Centavos in the platform's account."""
    return Movement.objects.aggregate(sum=Sum("value"))["sum"] or 0
