"""The BR Code of a charge, from what the bank answered: its own, or one built from its payload's address.

`pixCopiaECola` is optional in the Pix API, `location` is not.
"""

from __future__ import annotations

import logging

from payments.bank.port import BankCharge
from payments.models import Charge
from payments.pix import brcode

log = logging.getLogger(__name__)


def of(charge: Charge, told: BankCharge) -> str:
    """The code, empty where the answer has neither a code nor an address."""
    if told.br_code and _readable(told.br_code):
        return told.br_code
    built = _built(charge, told.location.partition("://")[2] or told.location)
    if told.br_code:
        log.error("The bank's code of charge %s cannot be read%s", charge.txid, ": ours is used" if built else "")
    return built or told.br_code


def _readable(code: str) -> bool:
    try:
        brcode.decode(code)
    except brcode.InvalidBrCode:
        return False
    return True


def _built(charge: Charge, location: str) -> str:
    company = charge.company
    try:  # a name without a letter that a code may have is shown as its number
        name = brcode.fold(company.trade_name, brcode.MAX_NAME) or company.tax_id
        city = brcode.fold(company.city, brcode.MAX_CITY) or "BRASIL"
        return brcode.encode(brcode.BrCode(name=name, city=city, url=location, single_use=True))
    except brcode.InvalidBrCode as error:
        log.error("No code can be built for charge %s: %s", charge.txid, error)
        return ""
