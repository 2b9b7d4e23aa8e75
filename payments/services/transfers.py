"""Move money from a company's account: to another company of this platform, or out to its own CNPJ or CPF."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import transaction

from payments.models import Company, LedgerTransaction, Payment
from payments.services import companies, ledger, payments
from payments.services.charges.splits import between_companies
from payments.services.errors import Duplicate, Invalid
from payments.services.payments import PaymentOrder
from payments.services.subaccounts.moving import NOT_POSITIVE, TOO_LOW

LEAST = 101  # centavos: Woovi's minimum of a withdrawal


def transfer(company: Company, from_key: str, to_key: str, value: int, correlation_id: str = "") -> LedgerTransaction:
    """Move `value` centavos to the company that has the Pix key `to_key`, once for each correlationID. No bank is asked.

    Raises:
        Invalid: `from_key` is not the company's, `to_key` is nobody's here or its own; or the value is not positive, or more than
            the balance has available.
        Duplicate: the correlationID was used for another transfer.
    """
    if value <= 0:
        raise Invalid(NOT_POSITIVE, "value")
    if companies.dict_key(from_key) != company.pix_key:
        raise Invalid("fromPixKey is not the key of your account", "fromPixKey")
    key = companies.dict_key(to_key)
    taker = Company.objects.filter(pix_key=key).exclude(pk=company.pk).first() if "\0" not in key else None
    if taker is None:
        raise Invalid("toPixKey: no other account here has this key", "toPixKey")
    correlation_id = correlation_id or str(uuid.uuid4())
    # The taker's own: two companies may use one correlationID for what they give it.
    there = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{company.public_id}/{correlation_id}"))
    out, into = ("transfer", correlation_id), ("transfer_in", there)
    try:
        with transaction.atomic():
            posted = ledger.post(*between_companies(company.pk, taker.pk, value, out, into))
    except ledger.InsufficientFunds as error:
        raise Invalid(TOO_LOW, "value") from error
    except ledger.IdempotencyConflict as error:
        raise Duplicate("There is already another transfer with this correlationID", "correlationID") from error
    return LedgerTransaction.objects.get(pk=posted[0].transaction_id)


def withdraw(company: Company, value: int, correlation_id: str = "", now: datetime | None = None) -> Payment:
    """Send `value` centavos to the company's CNPJ or CPF as a Pix key, at another bank. Approved at once; a worker sends it.

    The same correlationID and value give the first withdrawal again.

    Raises:
        Invalid: less than the minimum, or more than the balance has available.
        Duplicate: the correlationID was used for another payment.
        Unavailable: another process is at it. The same request may be sent again.
    """
    if value < LEAST:
        raise Invalid(f"value must be at least {LEAST} centavos", "value")
    order = PaymentOrder(correlation_id or str(uuid.uuid4()), value, pix_key=company.tax_id, comment="Saque")
    try:
        made = payments.create(company, order, now)
    except Duplicate:
        same = Payment.objects.filter(company=company, batch=None, correlation_id=correlation_id)
        first = same.filter(pix_key=company.tax_id, value=value, source=None).first()
        if first is None:
            raise
        return first if first.approved_at else payments.approve(company, first.correlation_id, now)
    try:
        return payments.approve(company, made.correlation_id, now)
    except Invalid:
        payments.remove(made)  # it would wait for an approval that nobody is asked for
        raise
