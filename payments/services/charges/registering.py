"""Register a charge at the bank: steps 2 and 3 of creating it (`creating`)."""

from __future__ import annotations

import logging
import time
from datetime import datetime
from functools import lru_cache

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from payments import bank
from payments.bank import pace
from payments.bank.port import (
    Address,
    BankCharge,
    BankError,
    BankNotFound,
    BankRefused,
    BankUnknown,
    ChargeOrder,
    Debtor,
)
from payments.models import Charge
from payments.services.charges import clocks, codes
from payments.services.charges.events import write_event
from payments.services.errors import Invalid, Unavailable
from woovi import statements

CALLBACK_RETRY = 60.0  # seconds until an address for callbacks that the bank refused is sent again

log = logging.getLogger(__name__)


_REGISTERED = """
UPDATE payments_charge SET br_code = $2, registered_at = $3, updated_at = $3, expires_at = $4
WHERE id = $1 AND registered_at IS NULL RETURNING id
"""


def register(charge: Charge, now: datetime | None = None) -> bool:
    """Register a new charge at the bank and save its code. Returns whether this call, and no other, registered it.

    Raises:
        Invalid: the bank refuses the charge.
        Unavailable: the bank did not answer, or gave no code to pay by.
    """
    now = now or timezone.now()
    try:
        with pace.acting_for(charge.company_id):
            order = _order(charge)
            announce_callback(order.pix_key)
            registered = _at_bank(order)
            br_code = codes.br_code(charge, registered) or codes.br_code(
                charge, bank.current().read_charge(charge.txid, overdue=charge.is_overdue)
            )
    except BankRefused as error:
        raise Invalid(f"The bank refused the charge: {error.code}") from error
    except BankError as error:
        raise Unavailable("The bank did not answer. Send the same request again") from error
    if not br_code:  # nobody could pay it
        log.error("The bank gave charge %s neither a code nor an address", charge.txid)
        raise Unavailable("The bank gave no code to pay by. Send the same request again")
    charge.br_code, charge.registered_at, charge.updated_at = br_code, now, now
    if not charge.is_overdue:  # a due date is a day, whatever the clocks say
        charge.expires_at = clocks.ends_at(charge, registered, now)
    with transaction.atomic():
        first = statements.fetch(_REGISTERED, charge.pk, charge.br_code, now, charge.expires_at)
        if first:
            write_event("OPENPIX:CHARGE_CREATED", charge)
    return bool(first)


def _order(charge: Charge) -> ChargeOrder:
    debtor = charge.customer or {}
    return ChargeOrder(
        txid=charge.txid,
        value=charge.value,
        pix_key=charge.pix_key or charge.company.pix_key,
        expires_in=charge.expires_in,
        debtor=Debtor(debtor["taxID"], debtor["name"][:200]) if debtor.get("taxID") and debtor.get("name") else None,
        payer_request=charge.comment,
        additional_info=tuple((item["key"], item["value"]) for item in charge.additional_info),
        due=charge.due if charge.is_overdue else None,
        address=_address(debtor["address"]) if charge.is_overdue else None,
    )


def _address(address: dict[str, str]) -> Address:
    """As far as the Pix API's columns reach."""
    lines = [address[name] for name in ("street", "number", "complement", "neighborhood") if address.get(name)]
    return Address(", ".join(lines)[:200], address["city"][:200], address["state"][:2], address["zipcode"][:8])


def _at_bank(order: ChargeOrder) -> BankCharge:
    """Register the charge. Where the answer is lost, look the txid up, and register again only if it is unknown."""
    refusal: BankRefused | None = None
    try:
        return bank.current().register_charge(order)
    except BankUnknown:
        pass
    except BankRefused as error:
        refusal = error  # "txid already used" is a refusal too, although the bank has the charge
    try:
        return bank.current().read_charge(order.txid, overdue=order.due is not None)
    except BankNotFound:
        if refusal:
            raise refusal from None
        return bank.current().register_charge(order)


_refused: dict[tuple[str, str, str], float] = {}  # callback addresses that the bank refused: time of the next try


def announce_callback(pix_key: str) -> None:
    """Set our callback address at the bank. A refusal stops no charge: the bank's list of received Pix is polled."""
    address = (settings.BANK_URL, pix_key, f"{settings.PUBLIC_URL}/bank")
    if time.monotonic() < _refused.get(address, 0):
        return
    try:
        _set_callback(*address)
        _refused.pop(address, None)
    except BankError as error:
        _refused[address] = time.monotonic() + CALLBACK_RETRY
        log.error("The bank does not take the address for its callbacks, its list is polled: %s", error)


@lru_cache(maxsize=10_000)
def _set_callback(bank_url: str, pix_key: str, url: str) -> None:
    """Set the callback address of `pix_key` at the bank, once per process (idempotent). A failure is not cached."""
    bank.current().set_callback(pix_key, url)
