"""Refund a payer: hold the money in the ledger, and let `returning` ask the bank.

The hold and the refund's row are written in one transaction; task `payments.send_refund`, started by the outbox, asks
the bank. Our `return_id` makes the request idempotent there.
"""

from __future__ import annotations

import hashlib
import json
import logging
import uuid
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F, Sum
from django.utils import timezone

from payments import contract
from payments.models import Account, Charge, Company, ReceivedPix, Refund, User
from payments.services import frozen, ledger
from payments.services.errors import Duplicate, Invalid, Unavailable
from payments.services.ledger import Event, Posting
from woovi import outbox
from woovi.locks import LockNotAvailable, StaleFence

log = logging.getLogger(__name__)

WINDOW = timedelta(days=90)  # from the payment (API Pix, PixDevolucaoInvalida)


def request(
    company: Company,
    charge: Charge,
    correlation_id: str,
    value: int | None = None,
    comment: str = "",
    now: datetime | None = None,
    *,
    maker: User | None = None,
) -> Refund:
    """Refund `value` centavos (default: all that is left) of a paid charge.

    The same correlationID with the same body returns the first refund.

    Args:
        maker: the person who asks for it; None for a program.

    Raises:
        Duplicate: the correlationID was used with another body.
        Invalid: the company's refunds are frozen; the charge is not paid, or was paid more than 90 days ago; or the value is more than is left of the
            charge, or more than the balance has available.
        Unavailable: another process holds the charge's lock. The same request may be sent again.
    """
    now = now or timezone.now()
    if not correlation_id:
        raise Invalid("correlationID must not be empty", "correlationID")
    digest = hashlib.sha256(json.dumps([charge.pk, value, comment]).encode()).digest()
    try:
        with Charge.objects.lock_for_update(pk=charge.pk) as locked:
            if locked.row.company_id != company.pk:
                raise Charge.DoesNotExist
            first = Refund.objects.filter(company=company, correlation_id=correlation_id).first()
            if first:
                return _existing(first, digest)
            frozen.refuse(company, "refunds")
            return _reserve(locked.row, correlation_id, digest, value, comment, now, maker)
    except ledger.InsufficientFunds as error:
        raise Invalid("value is more than the balance has available", "value") from error
    except (LockNotAvailable, StaleFence) as error:
        raise Unavailable("Other refunds of this charge are under way. Send the same request again") from error
    except IntegrityError:
        # Another request used the correlationID at the same time for another charge, under that charge's lock.
        first = Refund.objects.filter(company=company, correlation_id=correlation_id).first()
        if first is None:
            raise
        return _existing(first, digest)


def request_loose(
    company: Company,
    received: ReceivedPix,
    correlation_id: str,
    value: int | None = None,
    comment: str = "",
    now: datetime | None = None,
) -> Refund:
    """Refund `value` centavos (default: all that is left) of a Pix that paid no charge. Otherwise as `request`.

    The Pix is a fact without a fence, so its row is locked by the database, in one short transaction.
    """
    now = now or timezone.now()
    if not correlation_id:
        raise Invalid("correlationID must not be empty", "correlationID")
    digest = hashlib.sha256(json.dumps(["pix", received.pk, value, comment]).encode()).digest()
    try:
        with transaction.atomic():
            pix = ReceivedPix.objects.select_for_update(no_key=True).get(pk=received.pk, company=company)
            first = Refund.objects.filter(company=company, correlation_id=correlation_id).first()
            if first:
                return _existing(first, digest)
            frozen.refuse(pix.company, "refunds")
            return _open(_loose(pix, correlation_id, digest, value, comment, now), Account.Kind.MERCHANT)
    except ledger.InsufficientFunds as error:
        raise Invalid("value is more than the balance has available", "value") from error
    except IntegrityError:  # the correlationID was used at the same time for another Pix
        first = Refund.objects.filter(company=company, correlation_id=correlation_id).first()
        if first is None:
            raise
        return _existing(first, digest)


def _loose(
    pix: ReceivedPix, correlation_id: str, digest: bytes, value: int | None, comment: str, now: datetime
) -> Refund:
    """Check a refund of a Pix without charge. The caller has locked the Pix."""
    if now > pix.paid_at + WINDOW:
        raise Invalid("The Pix was paid more than 90 days ago")
    others = Refund.objects.filter(received=pix).exclude(status=Refund.Status.REJECTED)
    left = max(pix.value - (others.aggregate(sum=Sum("value"))["sum"] or 0), 0)
    value = left if value is None else value
    if not 0 < value <= left:
        raise Invalid(f"value must be from 1 to what is left of the Pix, {left} centavos", "value")
    return Refund(
        company_id=pix.company_id,
        received=pix,
        correlation_id=correlation_id,
        request_hash=digest,
        value=value,
        comment=comment,
        created_at=now,
    )


def _existing(first: Refund, digest: bytes) -> Refund:
    """The first refund of a correlationID, if the request is the same. Raises Duplicate."""
    if first.automatic or first.by_bank or bytes(first.request_hash) != digest:
        raise Duplicate("There is already a refund with this correlationID and another body", "correlationID")
    return first


def _reserve(
    charge: Charge,
    correlation_id: str,
    digest: bytes,
    value: int | None,
    comment: str,
    now: datetime,
    maker: User | None,
) -> Refund:
    """Check the refund, count it in the charge and hold its value. The caller has locked the charge's row."""
    if charge.status != Charge.Status.COMPLETED or charge.paid_at is None:
        raise Invalid("The charge is not paid")
    if now > charge.paid_at + WINDOW:
        raise Invalid("The charge was paid more than 90 days ago")
    left = charge.left
    value = left if value is None else value
    if not 0 < value <= left:
        raise Invalid(f"value must be from 1 to what is left of the charge, {left} centavos", "value")
    Charge.objects.filter(pk=charge.pk).update(refunded=F("refunded") + value, updated_at=now)
    refund = Refund(
        company_id=charge.company_id,
        received=charge.received.get(outcome=ReceivedPix.Outcome.SETTLED),
        charge=charge,
        correlation_id=correlation_id,
        request_hash=digest,
        value=value,
        comment=comment,
        created_at=now,
        maker=maker,
    )
    return _open(refund, Account.Kind.MERCHANT)


def return_from_suspense(received: ReceivedPix, booking: Posting, now: datetime) -> Refund:
    """Return a Pix that was not credited. `booking` is its posting into suspense. Inside the caller's transaction."""
    return _open(_automatic(received, received.value, now), Account.Kind.SUSPENSE, booking)


def return_again(received: ReceivedPix, value: int, now: datetime) -> Refund:
    """Return `value` centavos of a Pix out of suspense after the bank refused it. Inside the caller's transaction."""
    return _open(_automatic(received, value, now), Account.Kind.SUSPENSE)


def _automatic(received: ReceivedPix, value: int, now: datetime) -> Refund:
    return Refund(
        company_id=received.company_id,
        received=received,
        correlation_id=str(uuid.uuid4()),  # a random id that no merchant has used
        request_hash=b"",
        value=value,
        comment=received.Outcome(received.outcome).label,
        automatic=True,
        created_at=now,
    )


def _open(refund: Refund, kind: Account.Kind, *before: Posting) -> Refund:
    """Insert the refund, hold its value on the account of `kind`, and queue the request to the bank.

    `before` is posted in the same call, ahead of the hold.
    """
    refund.return_id = uuid.uuid4().hex
    account = ledger.accounts(refund.company_id)[kind]
    hold = ledger.hold(refund.company_id, refund.return_id, "refund_hold", account, refund.value)
    refund.hold_id = ledger.post(*before, hold)[-1].transaction_id
    refund.save(force_insert=True)
    tenant, payload = str(refund.company_id), {"refund_id": refund.pk}
    # Two rows: only the first refreshes the company's pages, only the second starts a task.
    outbox.write_many([("refund.requested", tenant, payload), ("task:send_refund", tenant, payload)])
    return refund


def event(name: str, refund: Refund) -> Event:
    """The event of a refund's end, for the ledger to write. `name` is without `OPENPIX:`."""
    body = contract.event(
        name,
        refund.company,
        refundTransaction=contract.refund(refund),
        originalTransaction=contract.pix(refund.received, refund.company, refund.charge),
        **({"error": refund.reason} if refund.reason else {}),
    )
    return Event(f"OPENPIX:{name}", body)
