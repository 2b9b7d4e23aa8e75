"""Move money from a company's account to another company of this platform. No bank is asked."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from payments.models import Company, LedgerTransaction
from payments.services import companies, frozen, ledger, transfer_limits
from payments.services.charges.splits import between_companies
from payments.services.errors import Duplicate, Invalid
from payments.services.subaccounts.moving import NOT_POSITIVE, TOO_LOW

USED = "There is already another transfer with this correlationID"


def transfer(
    company: Company, from_key: str, to_key: str, value: int, correlation_id: str = "", now: datetime | None = None
) -> LedgerTransaction:
    """Move `value` centavos to the company that has the Pix key `to_key`, once for each correlationID. No bank is asked.

    Raises:
        Invalid: `from_key` is not the company's, `to_key` is nobody's here or its own; or the value is not positive, or more than
            the balance has available, or above a limit (LimitReached).
        Duplicate: the correlationID was used for another transfer.
    """
    frozen.refuse(company, "payments")
    if value <= 0:
        raise Invalid(NOT_POSITIVE, "value")
    if not companies.has_key(company, companies.dict_key(from_key)):
        raise Invalid("fromPixKey is not the key of your account", "fromPixKey")
    taker = companies.by_key(companies.dict_key(to_key))
    if taker is None or taker.pk == company.pk:
        raise Invalid("toPixKey: no other account here has this key", "toPixKey")
    correlation_id = correlation_id or str(uuid.uuid4())
    # The taker's own: two companies may use one correlationID for what they give it.
    there = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{company.public_id}/{correlation_id}"))
    out, into = ("transfer", correlation_id), ("transfer_in", there)
    try:
        with transaction.atomic():
            if not LedgerTransaction.objects.filter(company=company, kind="transfer", correlation_id=correlation_id):
                transfer_limits.check_one(company.pk, value)
                transfer_limits.take(company.pk, value, now or timezone.now())
            posted = ledger.post(*between_companies(company.pk, taker.pk, value, out, into))
            if (
                posted[0].replayed != posted[1].replayed
            ):  # the giver's posting, and so its hash, does not name the taker
                raise Duplicate(USED, "correlationID")
            if posted[0].replayed:
                transaction.set_rollback(True)  # another one was first: it counts, and this one does not
    except ledger.InsufficientFunds as error:
        raise Invalid(TOO_LOW, "value") from error
    except ledger.IdempotencyConflict as error:
        raise Duplicate(USED, "correlationID") from error
    return LedgerTransaction.objects.get(pk=posted[0].transaction_id)
