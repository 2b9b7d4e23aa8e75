"""Create a charge, in three steps. No transaction is open while the bank is called:

1. insert the row, unique by company and correlationID; it is not registered yet, and nobody sees it (`create`);
2. register it at the bank, idempotent by our txid (`registering.register`);
3. save the BR Code and `registered_at` and write OPENPIX:CHARGE_CREATED, in one transaction (`registering.register`).

After a crash, the same request or reconciliation resumes the row.
"""

from __future__ import annotations

import hashlib
import json
import math
import uuid
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from payments.models import Charge, Company
from payments.models.charge import terms_of
from payments.pix import keys
from payments.services import customers, frozen
from payments.services.charges import due_dates, registering
from payments.services.charges.due_dates import DueRequest
from payments.services.charges.splits import Split, resolved
from payments.services.errors import Duplicate, Invalid, Unavailable
from woovi import statements

MAX_VALUE = 999_999_999_999  # centavos: API Pix has ten digits of reais
MIN_EXPIRES_IN, MAX_EXPIRES_IN = 300, 31_536_000  # seconds: five minutes (Woovi's), a year (ours)


@dataclass(frozen=True)
class ChargeRequest:
    """The charge that a merchant asks for.

    `value` is in centavos, `expires_in` in seconds from now; where `expires_at` is given, `expires_in` is ignored.
    """

    correlation_id: str
    value: int
    comment: str = ""
    expires_in: int | None = None
    customer: dict[str, Any] | None = None
    additional_info: tuple[dict[str, str], ...] = ()
    ensure_same_tax_id: bool = False
    expires_at: datetime | None = None
    due: DueRequest | None = None  # makes it an OVERDUE charge, which neither `expires_in` nor `expires_at` ends
    splits: tuple[Split, ...] = ()
    subaccount: str = ""  # the Pix key of the sub-account that gets all but the fee

    def digest(self) -> bytes:
        """SHA-256 of the request. A repeated correlationID must come with the same one."""
        fields = asdict(self)
        for later in ("due", "splits", "subaccount"):  # a request without them has the hash that it had before them
            if not fields[later]:
                del fields[later]
        return hashlib.sha256(json.dumps(fields, sort_keys=True, default=str).encode()).digest()


def fee(company: Company, value: int) -> int:
    """The platform's fee in centavos for a received `value` in centavos.

    The company's basis points, rounded half up, within its minimum and maximum, and never above the value.
    """
    share = (value * company.fee_basis_points + 5_000) // 10_000
    return min(max(share, company.fee_minimum), company.fee_maximum, value)


def create(
    company: Company, request: ChargeRequest, *, return_existing: bool = False, now: datetime | None = None
) -> Charge:
    """Create a charge and register it at the bank.

    Raises:
        Invalid: the request is wrong, or the bank refuses it.
        Duplicate: the correlationID was used; with `return_existing` its charge is returned instead.
        Unavailable: the bank did not answer. The same request, sent again, resumes the charge.
    """
    now = now or timezone.now()
    if not request.correlation_id:
        raise Invalid("correlationID must not be empty", "correlationID")
    if not 0 < request.value <= MAX_VALUE:
        raise Invalid(f"value must be from 1 to {MAX_VALUE} centavos", "value")
    try:
        charge = _existing(company, request, now) or _inserted(company, request, now)
        if not charge.registered_at:
            if bytes(charge.request_hash) != request.digest():
                raise Duplicate(
                    "There is a charge in progress with this correlationID and another body", "correlationID"
                )
            if _register_or_forget(charge, now):
                return charge
            charge.refresh_from_db()  # another process registered it first
    except Charge.DoesNotExist:  # another process deleted it meanwhile
        raise Unavailable("The charge was given up meanwhile. Send the same request again") from None
    if return_existing and not charge.deleted_at:
        return charge
    raise Duplicate("There is already a charge with this correlationID", "correlationID")


def _register_or_forget(charge: Charge, now: datetime) -> bool:
    """`register`; where the bank refuses the charge, delete its row, so that the correlationID is free again."""
    try:
        return registering.register(charge, now)
    except Invalid:
        forget(charge)
        raise


# One DELETE with all conditions. Rejected: Django's delete(), which selects first and then deletes by id, and so would
# delete a charge that another process registered in between.
_FORGET = """
DELETE FROM payments_charge
WHERE id = %s AND registered_at IS NULL AND (%s::timestamptz IS NULL OR updated_at = %s)
"""


def forget(charge: Charge, untouched_since: datetime | None = None) -> None:
    """Delete a charge that the bank does not have, unless it is registered by now.

    With `untouched_since`, delete it only if that is still its `updated_at`.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FORGET, [charge.pk, untouched_since, untouched_since])


def _existing(company: Company, request: ChargeRequest, now: datetime) -> Charge | None:
    """The charge of this correlationID, if there is one. It was valid when it was made and is not validated again.

    Setting `updated_at` keeps reconciliation from deleting it while this request works on it.
    """
    found = _find(company, request.correlation_id)
    if found and not found.registered_at:
        same = Charge.objects.filter(pk=found.pk, registered_at=None, request_hash=request.digest())
        same.update(updated_at=now)
        found = _find(company, request.correlation_id)
    return found


_FIND = f"""
SELECT {statements.columns(Charge, "charge")} FROM payments_charge charge
WHERE charge.company_id = $1 AND charge.correlation_id = $2
"""  # noqa: S608 (names of our own)


def _find(company: Company, correlation_id: str) -> Charge | None:
    for (charge,) in statements.rows((Charge,), _FIND, company.pk, correlation_id):
        charge.company = company
        return charge  # type: ignore[no-any-return]
    return None


def _inserted(company: Company, request: ChargeRequest, now: datetime) -> Charge:
    """Step 1: insert the charge. Where another process has just inserted it, return that one."""
    frozen.refuse(company, "charges")
    customer = _checked_customer(request)
    if request.due:
        customer = due_dates.with_address(company, customer)
        ends = _due_columns(request.due, request.value, now)
    else:
        seconds = _checked_expiry(company, request, now)
        ends = {"expires_in": seconds, "expires_at": now + timedelta(seconds=seconds)}
    share = request.value - fee(company, request.value)
    charge = Charge(
        company=company,
        correlation_id=request.correlation_id,
        request_hash=request.digest(),
        value=request.value,
        fee=fee(company, request.value),
        comment=request.comment,
        customer=customer,
        additional_info=list(request.additional_info),
        splits=resolved(company, request.splits, request.subaccount, share),
        ensure_same_tax_id=request.ensure_same_tax_id,
        txid=uuid.uuid4().hex,
        pix_key=company.pix_key,
        created_at=now,
        updated_at=now,
        **ends,
    )
    inserted = statements.insert(charge, "company_id, correlation_id")
    if customer:
        customers.remember(company, customer, now)
    if inserted:
        return charge
    return Charge.objects.select_related("company").get(company=company, correlation_id=request.correlation_id)


def _due_columns(request: DueRequest, value: int, now: datetime) -> dict[str, Any]:
    """The columns of an OVERDUE charge that say when it ends, and what it is worth until then."""
    due = due_dates.checked(request, value, now)
    ends_at = due_dates.ends_at(terms_of(value, due.due_date, due.valid_for, due.terms))
    seconds = math.ceil((ends_at - now).total_seconds())
    return {**asdict(due), "type": Charge.Type.OVERDUE, "expires_in": seconds, "expires_at": ends_at}


def _checked_expiry(company: Company, request: ChargeRequest, now: datetime) -> int:
    """Seconds until the charge ends. Raises Invalid."""
    seconds, field = request.expires_in, "expiresIn"
    if request.expires_at:
        seconds, field = int((request.expires_at - now).total_seconds()), "expiresDate"
    if seconds is None:
        return company.charge_expires_in
    check_seconds(seconds, field)
    return seconds


def check_seconds(seconds: int, field: str) -> None:
    """Raise Invalid where a charge may not end in so many seconds from now."""
    if not MIN_EXPIRES_IN <= seconds <= MAX_EXPIRES_IN:
        raise Invalid(f"{field} must be from {MIN_EXPIRES_IN} to {MAX_EXPIRES_IN} seconds from now", field)


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
