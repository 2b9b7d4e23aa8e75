"""The floor of `api.py`: reading and creating a charge in bare Django views, with the statements that ours need, one script
in Redis, and for a new charge the same call to the bank. Nothing is validated, limited, authorised or documented.
"""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.db import connection, transaction
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.utils import timezone

from payments import bank
from payments.bank.port import ChargeOrder
from woovi.redis import client

SCRIPT = "return redis.call('INCR', KEYS[1])"
COMPANY = """
SELECT company.id, company.pix_key FROM payments_application application
JOIN payments_company company ON company.id = application.company_id WHERE application.is_active LIMIT 1
"""
INSERT = """
INSERT INTO payments_charge (public_id, company_id, correlation_id, request_hash, value, fee, refunded, comment, additional_info,
    ensure_same_tax_id, status, txid, payment_link_id, br_code, expires_in, expires_at, created_at, updated_at, lock_fence)
VALUES (%s, %s, %s, '', 1000, 50, 0, '', '[]', false, 'ACTIVE', %s, %s, '', 3600, %s, %s, %s, 0)
"""


EVENT = """
INSERT INTO outbox_outboxevent (event_id, topic, tenant, payload, created_at, attempts)
VALUES (%s, 'bare', '0', %s, %s, 0)
"""


def read(request: HttpRequest, correlation_id: str) -> JsonResponse:
    """GET: the company, the charge. Only a paid one has a Pix to read."""
    limit()
    (company_id, _), *_ = rows(COMPANY)
    found = "SELECT * FROM payments_charge WHERE company_id = %s AND correlation_id = %s AND registered_at IS NOT NULL"
    (charge, *_) = rows(found, company_id, correlation_id)
    return JsonResponse({"charge": {"id": charge[0], "all": [str(value) for value in charge]}})


def create(request: HttpRequest) -> JsonResponse:
    """POST: the company, the row, the bank, the row again with its event."""
    limit()
    body, now, txid = json.loads(request.body), timezone.now(), uuid.uuid4().hex
    (company_id, pix_key), *_ = rows(COMPANY)
    rows(
        "SELECT * FROM payments_charge WHERE company_id = %s AND correlation_id = %s", company_id, body["correlationID"]
    )
    until, link = now + timedelta(hours=1), uuid.uuid4()
    run(INSERT, txid[:24], company_id, body["correlationID"], txid, link, until, now, now)
    made = bank.current().register_charge(ChargeOrder(txid, body["value"], pix_key, 3600))
    with transaction.atomic():
        run("UPDATE payments_charge SET br_code = %s, registered_at = %s WHERE txid = %s", made.br_code, now, txid)
        run(EVENT, uuid.uuid4(), json.dumps(body), now)
    return JsonResponse({"charge": body, "brCode": made.br_code})


def limit() -> None:
    """One script in Redis, as a rate limit runs it."""
    _script(keys=["bare"])


def rows(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """The rows of a statement."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())


def run(sql: str, *values: Any) -> None:
    """Run a statement."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


urlpatterns = [path("api/v1/charge", create), path("api/v1/charge/<str:correlation_id>", read)]
application = get_asgi_application()
wsgi = get_wsgi_application()
_script = client("limits").register_script(SCRIPT)
