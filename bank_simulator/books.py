"""Charges and the payments that come in. Each function is one transaction."""

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
from bank_simulator.models import Charge, Entry, Movement, Pix, Webhook
from bank_simulator.problems import Problem
from payments.pix import brcode, ids, keys

# A payment in one statement, because benchmarks make hundreds a second. Only the payment that finds the charge ATIVA
# settles it. As at real banks, a callback is owed only for a Pix with a txid whose key has a webhook.
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
), callbacks AS (
    INSERT INTO simulator_callback (pix_id, due_at, attempts)
    SELECT end_to_end_id, %(callback_at)s, 0 FROM pix JOIN simulator_webhook USING (pix_key), generate_series(1, %(times)s)
    WHERE txid <> ''
)
SELECT count(*) FROM pix
"""


@dataclass(frozen=True)
class Payer:
    """Who pays."""

    tax_id: str  # CPF or CNPJ, no punctuation
    name: str


@dataclass(frozen=True)
class Target:
    """What a BR Code asks for: a charge of this bank, or, by a static code, a payment to a key."""

    charge: Charge | None
    pix_key: str
    value: int | None  # centavos
    txid: str


def register(txid: str, fields: dict[str, Any], host: str, now: datetime | None = None) -> Charge:
    """Create the charge `txid`, or revise it while it is active. The same fields again change nothing.

    Args:
        txid: 26 to 35 letters and digits.
        fields: values for columns of `Charge`.
        host: host and port that serve the charge's payload, for the BR Code.

    Raises:
        Problem: the charge exists, differs and is not active any more.
    """
    token = secrets.token_hex(16)
    location = f"{host}/qr/v2/{'cobv' if fields.get('due_date') else 'cob'}/{token}"
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
    """Change an active charge. Raises Problem for an unknown one and one that is not active."""
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
    """What the BR Code `text` asks for. Raises Problem for a broken code or a charge of another bank."""
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
    return Target(charge, charge.pix_key, charge.worth(timezone.now()), charge.txid)


def _key(text: str) -> str:
    """The key in the DICT's form, since a code has it as somebody typed it."""
    try:
        return keys.parse(text).value
    except keys.InvalidKey as error:
        raise Problem("ChavePixInvalida", 400, f"O código tem uma chave inválida: {error}", "br_code") from None


def pay(  # over 40 lines only by its arguments and their description
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
    """Take a payment.

    Args:
        target: what is paid.
        payer: who pays.
        value: centavos; None for the value that the target asks for.
        force: also pay a charge that is paid, expired or removed, or another value, as no real bank would.
        callback: normal, lost, duplicate or delayed.
        message: the payer's, at most 140 characters.
        end_to_end_id: a known one returns its first payment; empty for a new one.
        now: time of the payment. May lie in the future, for a late payment; its callback goes out at once.

    Raises:
        Problem: the target cannot be paid.
    """
    now = now or timezone.now()
    amount = value or (target.charge.worth(now) if target.charge else target.value)
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
    if not _inserted(pix, target, force, callback):
        # Another payment was faster since the charge was read.
        raise Problem("PagamentoRecusado", 422, "A cobrança não pode mais ser paga.", "status")
    return pix


def _inserted(pix: Pix, target: Target, force: bool, callback: str) -> bool:
    """Insert the payment with its callbacks. Returns whether it was inserted."""
    callback_at, times = faults.plan_callback(callback)
    fields: dict[str, Any] = {field.name: getattr(pix, field.name) for field in Pix._meta.fields}
    fields |= {"of_charge": target.charge is not None, "force": force, "callback_at": callback_at, "times": times}
    with connection.cursor() as cursor:
        cursor.execute(PAY, fields)
        return bool(cursor.fetchone() == (1,))


def owned(pix_key: str) -> bool:
    """Whether the key exists here: it is registered, has a webhook or a charge, or a company of the platform has it.

    A real bank registers its customers' keys in the DICT. The Pix API has no call for that, so the key of a company
    without a charge is looked up in the platform's own table, if that is in the same database.
    """
    if Entry.objects.filter(pk=pix_key).exists():
        return True
    if Webhook.objects.filter(pk=pix_key).exists() or Charge.objects.filter(pix_key=pix_key).exists():
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.payments_company') IS NOT NULL")
        if cursor.fetchone() != (True,):
            return False
        cursor.execute("SELECT EXISTS (SELECT FROM public.payments_company WHERE pix_key = %s)", [pix_key])
        return bool(cursor.fetchone() == (True,))


def after_expiry(target: Target) -> datetime | None:
    """A time for a late payment: a minute after the charge expires, or now if that is later. None without a charge."""
    if target.charge is None:
        return None
    return max(target.charge.expires_at + timedelta(minutes=1), timezone.now())


def _refuse_unpayable(charge: Charge, value: int, now: datetime) -> None:
    if charge.status != Charge.Status.ACTIVE:
        raise Problem("PagamentoRecusado", 422, f"A cobrança não pode ser paga: {charge.status}", "status")
    if now > charge.expires_at:
        raise Problem("PagamentoRecusado", 422, "A cobrança expirou.", "expiracao")
    if value != charge.worth(now):
        raise Problem("PagamentoRecusado", 422, "O valor não é o da cobrança.", "value", value)


def listed() -> QuerySet[Pix]:
    """The Pix that the API shows. Recent ones may be missing (fault `listed_after_ms`), as at real banks."""
    late = faults.current().listed_after_ms
    rows = Pix.objects.all()
    return rows.filter(paid_at__lte=timezone.now() - timedelta(milliseconds=late)) if late else rows


def balance(at: datetime | None = None) -> int:
    """Centavos in the platform's account, now or just before `at`."""
    rows = Movement.objects.filter(at__lt=at) if at else Movement.objects
    return rows.aggregate(sum=Sum("value"))["sum"] or 0
