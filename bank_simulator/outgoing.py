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


def send(send_id: str, pix_key: str, value: int, message: str, now: datetime | None = None) -> Sent:
    """Send `value` centavos to a key. The same id, key and value again is the same Pix. Funds are not checked.

    Raises:
        Problem: nobody has the key, or the id has another key or value.
    """
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
