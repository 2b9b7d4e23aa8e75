"""What the bank does: register charges, take payments, give money back, send. Each verb is one transaction."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet, Sum
from django.utils import timezone

from bank_simulator import faults
from bank_simulator.models import Callback, Charge, Movement, Pix, Return, Sent, Settlement, Webhook
from bank_simulator.problems import Problem
from payments.pix import brcode, ids, keys

RETURN_WINDOW = timedelta(days=90)

# A payment in one statement, because benchmarks pay hundreds a second through it: the charge is paid by whoever finds
# it so, and everything else follows from that. Banks tell only of Pix with a txid, and only where a webhook is set.
PAY = """
WITH paid AS (
    UPDATE simulator_charge SET status = 'CONCLUIDA'
    WHERE %(of_charge)s AND txid = %(txid)s AND status = 'ATIVA' RETURNING txid
), pix AS (
    INSERT INTO simulator_pix (end_to_end_id, txid, pix_key, value, payer_tax_id, payer_name, payer_message, paid_at)
    SELECT %(end_to_end_id)s, %(txid)s, %(pix_key)s, %(value)s, %(payer_tax_id)s, %(payer_name)s, %(payer_message)s,
           %(paid_at)s
    WHERE NOT %(of_charge)s OR %(force)s OR EXISTS (SELECT FROM paid)
    ON CONFLICT DO NOTHING RETURNING *
), moved AS (
    INSERT INTO simulator_movement (end_to_end_id, value, at) SELECT end_to_end_id, value, paid_at FROM pix
), told AS (
    INSERT INTO simulator_callback (pix_id, due_at, attempts)
    SELECT end_to_end_id, %(told_at)s, 0 FROM pix JOIN simulator_webhook USING (pix_key), generate_series(1, %(times)s)
    WHERE txid <> ''
)
SELECT count(*) FROM pix
"""

SETTLE_SENT = """
WITH ended AS (
    UPDATE simulator_sent
    SET settled_at = %(now)s, status = CASE WHEN reason = '' THEN 'REALIZADO' ELSE 'NAO_REALIZADO' END
    WHERE status = 'EM_PROCESSAMENTO' AND due_at <= %(now)s RETURNING *
)
INSERT INTO simulator_movement (end_to_end_id, value, at)
SELECT end_to_end_id, -value, settled_at FROM ended WHERE status = 'REALIZADO'
"""


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
    try:
        return Charge.objects.create(txid=txid, created_at=now or timezone.now(), **fresh)
    except IntegrityError:
        known = Charge.objects.get(txid=txid)
    if all(getattr(known, name) == value for name, value in fields.items()):
        return known
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
        return Target(None, _key(code.key), code.value, code.txid)
    token = code.url.rpartition("/")[2]
    charge = Charge.objects.filter(token=token).first()
    if charge is None:
        raise Problem("CobPayloadNaoEncontrado", 404, "Cobrança não encontrada neste banco.", "br_code")
    return Target(charge, charge.pix_key, charge.value, charge.txid)


def _key(text: str) -> str:
    """The key as the DICT writes it: codes carry it as their maker typed it."""
    try:
        return keys.parse(text).value
    except keys.InvalidKey as error:
        raise Problem("ChavePixInvalida", 400, f"O código tem uma chave inválida: {error}", "br_code") from None


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
    if end_to_end_id and (known := Pix.objects.filter(pk=end_to_end_id).first()):
        return known
    if target.charge is None and not owned(target.pix_key):
        raise Problem("ChaveNaoEncontrada", 422, "A chave Pix não existe.", "br_code")
    if target.charge and not force:
        _refuse_unpayable(target.charge, amount, now)
    pix = Pix(
        end_to_end_id=end_to_end_id or ids.mint("E", settings.PAYER_ISPB, now),
        txid=target.txid,
        pix_key=target.pix_key,
        value=amount,
        payer_tax_id=payer.tax_id,
        payer_name=payer.name,
        payer_message=message,
        paid_at=now,
    )
    told_at, times = _manner(callback)
    fields: dict[str, Any] = {field.name: getattr(pix, field.name) for field in Pix._meta.fields}
    rest: dict[str, Any] = {"of_charge": target.charge is not None, "force": force, "told_at": told_at, "times": times}
    with connection.cursor() as cursor:
        cursor.execute(PAY, fields | rest)
        if cursor.fetchone() == (1,):
            return pix
    # Somebody was faster since the charge was read.
    raise Problem("PagamentoRecusado", 422, "A cobrança não pode mais ser paga.", "status")


def owned(pix_key: str) -> bool:
    """Whether anybody here has the key: it has a webhook or a charge, or is a company's of the platform.

    A bank registers its customers' keys in the DICT. The Pix API has no call for that, so of a company without a charge
    the key is looked up where the platform keeps it, if that is the same database.
    """
    if Webhook.objects.filter(pk=pix_key).exists() or Charge.objects.filter(pix_key=pix_key).exists():
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.payments_company') IS NOT NULL")
        if cursor.fetchone() != (True,):
            return False
        cursor.execute("SELECT EXISTS (SELECT FROM public.payments_company WHERE pix_key = %s)", [pix_key])
        return bool(cursor.fetchone() == (True,))


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


def _manner(asked: str) -> tuple[datetime, int]:
    """When and how often the platform is told."""
    now, chances = timezone.now(), faults.current()
    if asked == "lost" or faults.happens(chances.callback_lost_percent):
        return now, 0
    late = asked == "delayed" or faults.happens(chances.callback_reorder_percent)
    twice = asked == "duplicate" or faults.happens(chances.callback_duplicate_percent)
    return now + faults.callback_delay() if late else now, 2 if twice else 1


def _tell(pix: Pix) -> None:
    """Owe the platform the news of `pix`."""
    told_at, times = _manner("normal")
    if pix.txid and Webhook.objects.filter(pk=pix.pix_key).exists():
        Callback.objects.bulk_create(Callback(pix=pix, due_at=told_at) for _ in range(times))


def listed() -> QuerySet[Pix]:
    """The Pix that the API knows by now: those just paid may be missing, as at real banks."""
    late = faults.current().listed_after_ms
    rows = Pix.objects.all()
    return rows.filter(paid_at__lte=timezone.now() - timedelta(milliseconds=late)) if late else rows


def request_return(
    end_to_end_id: str, return_id: str, value: int, comment: str, nature: str = "ORIGINAL", now: datetime | None = None
) -> Return:
    """Give `value` centavos of a Pix back. The same id and value again is the same return.

    Any `nature` but ORIGINAL is the bank's own doing: nobody asked for it.
    """
    now = now or timezone.now()
    with transaction.atomic():
        pix = listed().select_for_update().filter(pk=end_to_end_id).first()
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
            nature=nature,
            value=value,
            comment=comment,
            requested_at=now,
            due_at=now + timedelta(milliseconds=faults.current().settle_ms),
            reason="Recusada pelo banco do pagador" if faults.happens(faults.current().return_refused_percent) else "",
        )
    if row.due_at <= now:
        settle_due(now)
        row.refresh_from_db()
    return row


def send(send_id: str, pix_key: str, value: int, message: str, now: datetime | None = None) -> Sent:
    """Send `value` centavos to a key. The same id, key and value again is the same Pix; there is no funds check."""
    now = now or timezone.now()
    if pix_key == "pix-key-not-found@woovi.com":
        raise Problem("ChaveNaoEncontrada", 422, "A chave Pix não existe.", "favorecido.chave")
    fields = {
        "end_to_end_id": ids.mint("E", settings.BANK_ISPB, now),
        "pix_key": pix_key,
        "value": value,
        "message": message,
        "requested_at": now,
        "due_at": now + timedelta(milliseconds=faults.current().settle_ms),
        "reason": "Recusado pelo banco do recebedor" if pix_key == "bank-error@woovi.com" else "",
    }
    try:
        row = Sent.objects.create(send_id=send_id, **fields)
    except IntegrityError:
        row = Sent.objects.get(send_id=send_id)
        if (row.pix_key, row.value) != (pix_key, value):
            raise Problem("PixEnvioInvalido", 409, "Já há um envio com este id.", "idEnvio", send_id) from None
        return row
    if row.due_at <= now:
        settle_due(now)
        row.refresh_from_db()
    return row


def settle_due(now: datetime | None = None) -> None:
    """End the returns and sent Pix whose time has come. A `reason` set beforehand means that it fails."""
    now = now or timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(SETTLE_SENT, {"now": now})
    for row in Return.objects.select_related("pix").filter(status=Settlement.PROCESSING, due_at__lte=now):
        with transaction.atomic():
            status = Settlement.REFUSED if row.reason else Settlement.RETURNED
            settled = Return.objects.filter(pk=row.pk, status=Settlement.PROCESSING)
            if settled.update(status=status, settled_at=now):
                if status == Settlement.RETURNED:
                    Movement.objects.create(end_to_end_id=row.rtr_id, value=-row.value, at=now)
                _tell(row.pix)


def balance(at: datetime | None = None) -> int:
    """Centavos in the platform's account, now or before `at`."""
    rows = Movement.objects.filter(at__lt=at) if at else Movement.objects
    return rows.aggregate(sum=Sum("value"))["sum"] or 0
