"""Money that leaves: returns and sent Pix. Each function is one transaction."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Sum
from django.utils import timezone

from bank_simulator import faults
from bank_simulator.books import listed
from bank_simulator.models import Callback, Movement, Pix, Return, Sent, Settlement, Webhook
from bank_simulator.problems import Problem
from payments.pix import ids

RETURN_WINDOW = timedelta(days=90)

# Accounts that the sandbox refuses, and the code that it gives (Woovi, sandbox): its own, and the network's.
ERROR_ACCOUNTS = {
    "1111111": "ACCOUNT_NOT_FOUND",
    "2222222": "NOT_ENOUGH_BALANCE",
    "3333333": "ACCOUNT_TRANSACTION_BLOCKED_BY_MED",
    "4444444": "INVALID_PIX_KEY",
    "5555555": "REACH_TRANSFER_LIMIT",
    "6666666": "SAME_ACCOUNT_TRANSFER",
    "7777777": "TRANSACTION_NOT_FOUND",
    "8888888": "ACCOUNT_LIMIT_ERROR",
    "9999999": "PAY_PIX_KEY_ERROR",
    "1010101": "AC06",
    "1010102": "AM04",
    "1010103": "AC03",
    "1010104": "FF08",
    "1010105": "DS04",
    "1010106": "RR04",
    "1010107": "AM12",
    "1010108": "FRAD",
    "1010109": "DUPL",
    "1010110": "AG03",
    "1010111": "AC07",
    "1010112": "AM01",
    "1010113": "BE01",
    "1010114": "CH11",
    "1010115": "AB03",
}

SETTLE_SENT = """
WITH ended AS (
    UPDATE simulator_sent
    SET settled_at = %(now)s, status = CASE WHEN reason = '' THEN 'REALIZADO' ELSE 'NAO_REALIZADO' END
    WHERE status = 'EM_PROCESSAMENTO' AND due_at <= %(now)s RETURNING *
)
INSERT INTO simulator_movement (end_to_end_id, value, at)
SELECT end_to_end_id, -value, settled_at FROM ended WHERE status = 'REALIZADO'
"""


def request_return(  # over 40 lines only by its description
    end_to_end_id: str, return_id: str, value: int, comment: str, nature: str = "ORIGINAL", now: datetime | None = None
) -> Return:
    """Return `value` centavos of a Pix to its payer. The same id and value again is the same return.

    Args:
        nature: ORIGINAL for a return that the receiver asked for; MED_FRAUDE and others are the bank's own.

    Raises:
        Problem: the Pix is unknown or older than 90 days, its value is exceeded, or the id has another value.
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


def send(to: Sent, now: datetime | None = None) -> Sent:
    """Send `to.value` centavos. The same id, receiver and value again is the same Pix. Funds are not checked.

    Args:
        to: a row that is not saved: send_id, pix_key or account, value, message, perhaps end_to_end_id.

    Raises:
        Problem: nobody has the key, or the id has another receiver or value.
    """
    now = now or timezone.now()
    if to.pix_key == "pix-key-not-found@woovi.com":
        raise Problem("ChaveNaoEncontrada", 422, "A chave Pix não existe.", "favorecido.chave")
    to.end_to_end_id = to.end_to_end_id or ids.mint("E", settings.BANK_ISPB, now)
    to.requested_at, to.due_at = now, now + timedelta(milliseconds=faults.current().settle_ms)
    to.reason = _refusal(to)
    try:
        with transaction.atomic():
            to.save(force_insert=True)
    except IntegrityError:
        return _sent_before(to)
    if to.due_at <= now:
        settle_due(now)
        to.refresh_from_db()
    return to


def _sent_before(to: Sent) -> Sent:
    row = Sent.objects.filter(send_id=to.send_id).first()
    if row is None:
        raise Problem("PixEnvioInvalido", 409, "Já há um envio com este endToEndId.", "endToEndId", to.end_to_end_id)
    if (row.pix_key, row.account, row.value) != (to.pix_key, to.account, to.value):
        raise Problem("PixEnvioInvalido", 409, "Já há um envio com este id.", "idEnvio", to.send_id)
    return row


def _refusal(to: Sent) -> str:
    """Why the receiver's bank will refuse, by the sandbox's error accounts; empty for all others."""
    if to.pix_key == "bank-error@woovi.com":
        return "Recusado pelo banco do recebedor"
    code = ERROR_ACCOUNTS.get(to.account.rpartition("/")[2].lstrip("0"), "")
    return f"{code} - Recusado pelo banco do recebedor" if code else ""


def settle_due(now: datetime | None = None) -> None:
    """End the returns and sent Pix that are due. A row with a `reason` ends refused, the others are carried out."""
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
                _owe_callback(row.pix)


def _owe_callback(pix: Pix) -> None:
    due_at, times = faults.plan_callback("normal")
    if pix.txid and Webhook.objects.filter(pk=pix.pix_key).exists():
        Callback.objects.bulk_create(Callback(pix=pix, due_at=due_at) for _ in range(times))
