"""Create a charge, and end it when its time is over.

A charge is made in three steps, none of which holds a transaction over a call to the bank:

1. its row, unique by company and correlationID, not registered yet and seen by nobody;
2. the bank's registration, idempotent by our txid;
3. the BR Code, `registered_at` and the event OPENPIX:CHARGE_CREATED, in one transaction.

Whoever dies in between leaves a row that the same request, or reconciliation, takes up where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
import uuid
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from payments import bank, contract
from payments.bank.port import BankCharge, BankError, BankNotFound, BankRefused, BankUnknown, ChargeOrder, Debtor
from payments.models import BankCursor, Charge, Company, SetAsidePix
from payments.pix import keys
from payments.services.charges import clocks, codes
from payments.services.errors import Duplicate, Invalid, Unavailable
from woovi import outbox

MAX_VALUE = 999_999_999_999  # centavos: API Pix has ten digits of reais
MIN_EXPIRES_IN, MAX_EXPIRES_IN = 300, 31_536_000  # seconds: five minutes (Woovi's), a year (ours)
# How late a Pix may show in the bank's list, which covers clocks apart too. SPI gives up on a Pix after 40 seconds.
BANK_DELAY = timedelta(seconds=60)
CURSOR = "received"
EXPIRE_BATCH = 500
ANNOUNCE_AGAIN = 60.0  # seconds until a bank that refused our address for callbacks is told again

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ChargeRequest:
    """What a merchant asks for. `value` is centavos, `expires_in` seconds; `expires_at` wins over it."""

    correlation_id: str
    value: int
    comment: str = ""
    expires_in: int | None = None
    customer: dict[str, Any] | None = None
    additional_info: tuple[dict[str, str], ...] = ()
    ensure_same_tax_id: bool = False
    expires_at: datetime | None = None

    def digest(self) -> bytes:
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True, default=str).encode()).digest()


def fee(company: Company, value: int) -> int:
    """Centavos that the platform keeps of a received `value`: basis points half up, within limits, at most the value."""
    share = (value * company.fee_basis_points + 5_000) // 10_000
    return min(max(share, company.fee_minimum), company.fee_maximum, value)


def create(
    company: Company, request: ChargeRequest, *, return_existing: bool = False, now: datetime | None = None
) -> Charge:
    """Create a charge and register it at the bank.

    Raises:
        Invalid: the request, or the bank, says that it cannot be.
        Duplicate: the correlationID was used; with `return_existing` its charge is returned instead.
        Unavailable: the bank did not answer. The same request may be sent again and goes on.
    """
    now = now or timezone.now()
    if not request.correlation_id:
        raise Invalid("correlationID must not be empty", "correlationID")
    if not 0 < request.value <= MAX_VALUE:
        raise Invalid(f"value must be from 1 to {MAX_VALUE} centavos", "value")
    try:
        charge = _taken_up(company, request, now) or _inserted(company, request, now)
        if not charge.registered_at:
            if bytes(charge.request_hash) != request.digest():
                raise Duplicate(
                    "There is a charge in progress with this correlationID and another body", "correlationID"
                )
            if _registered(charge, now):
                return charge
            charge.refresh_from_db()  # another process registered it first
    except Charge.DoesNotExist:  # or forgot it
        raise Unavailable("The charge was given up meanwhile. Send the same request again") from None
    if return_existing:
        return charge
    raise Duplicate("There is already a charge with this correlationID", "correlationID")


def _registered(charge: Charge, now: datetime) -> bool:
    """`register`, for a request. What the bank refuses is at no bank: its row goes, and the correlationID is free."""
    try:
        return register(charge, now)
    except Invalid:
        forget(charge)
        raise


# The conditions stand in the statement that deletes: Django's delete() would look first and then delete by id, and take
# a charge along that another process has registered in between.
_FORGET = """
DELETE FROM payments_charge
WHERE id = %s AND registered_at IS NULL AND (%s::timestamptz IS NULL OR updated_at = %s)
"""


def forget(charge: Charge, untouched_since: datetime | None = None) -> None:
    """Delete a charge that is at no bank, unless it is registered by now, or was touched after `untouched_since`."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGET, [charge.pk, untouched_since, untouched_since])


def _taken_up(company: Company, request: ChargeRequest, now: datetime) -> Charge | None:
    """The charge of this correlationID, if there is one. Whatever made it valid then is not asked again.

    `updated_at` says that somebody is at it, so that reconciliation does not forget it meanwhile.
    """
    same = Charge.objects.filter(company=company, correlation_id=request.correlation_id)
    same.filter(registered_at=None, request_hash=request.digest()).update(updated_at=now)
    return same.select_related("company").first()


def _inserted(company: Company, request: ChargeRequest, now: datetime) -> Charge:
    """Step 1: the charge of this correlationID, inserted unless another process has just done so."""
    customer = _checked_customer(request)
    expires_in = _checked_expiry(company, request, now)
    Charge.objects.bulk_create(
        [
            Charge(
                company=company,
                correlation_id=request.correlation_id,
                request_hash=request.digest(),
                value=request.value,
                fee=fee(company, request.value),
                comment=request.comment,
                customer=customer,
                additional_info=list(request.additional_info),
                ensure_same_tax_id=request.ensure_same_tax_id,
                txid=uuid.uuid4().hex,
                expires_in=expires_in,
                expires_at=now + timedelta(seconds=expires_in),
                created_at=now,
                updated_at=now,
            )
        ],
        ignore_conflicts=True,
    )
    return Charge.objects.select_related("company").get(company=company, correlation_id=request.correlation_id)


def _checked_expiry(company: Company, request: ChargeRequest, now: datetime) -> int:
    """Seconds until the charge ends. Raises Invalid."""
    seconds, field = request.expires_in, "expiresIn"
    if request.expires_at:
        seconds, field = int((request.expires_at - now).total_seconds()), "expiresDate"
    if seconds is None:
        return company.charge_expires_in
    if not MIN_EXPIRES_IN <= seconds <= MAX_EXPIRES_IN:
        raise Invalid(f"{field} must be from {MIN_EXPIRES_IN} to {MAX_EXPIRES_IN} seconds from now", field)
    return seconds


def _checked_customer(request: ChargeRequest) -> dict[str, Any] | None:
    """The customer with a normalised tax id. Raises Invalid."""
    customer = dict(request.customer) if request.customer else None
    if customer and customer.get("taxID"):
        try:
            customer["taxID"] = keys.parse_tax_id(customer["taxID"])
        except keys.InvalidKey as error:
            raise Invalid(f"customer.taxID: {error}", "customer.taxID") from error
    if request.ensure_same_tax_id and not (customer and customer.get("taxID")):
        raise Invalid("ensureSameTaxID needs the customer's taxID", "ensureSameTaxID")
    return customer


def register(charge: Charge, now: datetime | None = None) -> bool:
    """Steps 2 and 3 of a charge that is not registered. Returns whether it was this call that registered it.

    Raises Invalid where the bank refuses it, Unavailable where the bank's answer is missing.
    """
    now = now or timezone.now()
    _announce(charge.company.pix_key)
    try:
        registered = _at_bank(_order(charge))
        br_code = codes.of(charge, registered) or codes.of(charge, bank.current().read_charge(charge.txid))
    except BankRefused as error:
        raise Invalid(f"The bank refused the charge: {error.code}") from error
    except BankError as error:
        raise Unavailable("The bank did not answer. Send the same request again") from error
    if not br_code:  # a charge that nobody can pay is none
        log.error("The bank gave charge %s neither a code nor an address", charge.txid)
        raise Unavailable("The bank gave no code to pay by. Send the same request again")
    charge.br_code, charge.registered_at, charge.updated_at = br_code, now, now
    charge.expires_at = clocks.ends_at(charge, registered, now)
    with transaction.atomic():
        first = Charge.objects.filter(pk=charge.pk, registered_at=None).update(
            br_code=charge.br_code, registered_at=now, updated_at=now, expires_at=charge.expires_at
        )
        if first:
            _write("OPENPIX:CHARGE_CREATED", charge)
    return bool(first)


def _order(charge: Charge) -> ChargeOrder:
    debtor = charge.customer or {}
    return ChargeOrder(
        txid=charge.txid,
        value=charge.value,
        pix_key=charge.company.pix_key,
        expires_in=charge.expires_in,
        debtor=Debtor(debtor["taxID"], debtor["name"][:200]) if debtor.get("taxID") and debtor.get("name") else None,
        payer_request=charge.comment,
        additional_info=tuple((item["key"], item["value"]) for item in charge.additional_info),
    )


def _at_bank(order: ChargeOrder) -> BankCharge:
    """The bank's charge. Where its answer was lost, ask whether it has it, and tell it once more where not."""
    refusal: BankRefused | None = None
    try:
        return bank.current().register_charge(order)
    except BankUnknown:
        pass
    except BankRefused as error:
        refusal = error  # "txid already used" is a refusal too, and says that the bank has it
    try:
        return bank.current().read_charge(order.txid)
    except BankNotFound:
        if refusal:
            raise refusal from None
        return bank.current().register_charge(order)


_untold: dict[tuple[str, str, str], float] = {}  # until when (monotonic) a refused address is not told again


def _announce(pix_key: str) -> None:
    """Have the bank call us back. One that does not take it stops no charge: its list of received Pix is polled."""
    address = (settings.BANK_URL, pix_key, f"{settings.PUBLIC_URL}/bank")
    if time.monotonic() < _untold.get(address, 0):
        return
    try:
        _tell_callback(*address)
        _untold.pop(address, None)
    except BankError as error:
        _untold[address] = time.monotonic() + ANNOUNCE_AGAIN
        log.error("The bank does not take the address for its callbacks, its list is polled: %s", error)


@lru_cache(maxsize=10_000)
def _tell_callback(bank_url: str, pix_key: str, url: str) -> None:
    """Tell the bank where to report Pix of `pix_key`: once a process, and again does no harm. A failure is not cached."""
    bank.current().set_callback(pix_key, url)


def expire_due(now: datetime | None = None) -> int:
    """End charges whose time is over and for which no Pix in time can come to light. Returns how many.

    The bank's list must have been read past the end, and BANK_DELAY further: so what was paid in time has been
    found, and EXPIRED never has to be taken back. One whose Pix is found but not booked yet waits for it. Call again while it returns EXPIRE_BATCH.
    """
    now = now or timezone.now()
    cursor = BankCursor.objects.filter(name=CURSOR).first()
    if cursor is None:
        return 0
    due = Charge.objects.filter(
        status=Charge.Status.ACTIVE, registered_at__isnull=False, expires_at__lt=cursor.read_until - BANK_DELAY
    ).exclude(txid__in=SetAsidePix.objects.filter(resolved_at=None).exclude(txid="").values("txid"))
    with transaction.atomic():
        charges = list(
            due.select_for_update(of=("self",), skip_locked=True)
            .select_related("company")
            .order_by("expires_at")[:EXPIRE_BATCH]
        )
        Charge.objects.filter(pk__in=[charge.pk for charge in charges]).update(
            status=Charge.Status.EXPIRED, updated_at=now
        )
        for charge in charges:
            charge.status, charge.updated_at = Charge.Status.EXPIRED, now
            _write("OPENPIX:CHARGE_EXPIRED", charge)
    return len(charges)


def _write(topic: str, charge: Charge) -> None:
    body = contract.event(topic, charge.company, charge=contract.charge(charge, charge.company))
    outbox.write(topic, str(charge.company_id), body)
