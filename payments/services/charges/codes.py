"""The BR Code of a charge: the bank's, or one built from the `location` in the bank's answer.

In the Pix API `pixCopiaECola` (the code) is optional, `location` is not.
"""

from __future__ import annotations

import logging

from payments.bank.port import BankCharge
from payments.models import Charge
from payments.pix import brcode

log = logging.getLogger(__name__)


def br_code(charge: Charge, at_bank: BankCharge) -> str:
    """The code. Empty where the bank's answer has neither a code nor a location."""
    if code := _readable(at_bank.br_code):
        return code
    built = _built(charge, at_bank.location.partition("://")[2] or at_bank.location)
    if at_bank.br_code:
        log.error("The bank's code of charge %s cannot be read%s", charge.txid, ": ours is used" if built else "")
    return built or at_bank.br_code


def _readable(code: str) -> str:
    """The bank's code without invisible characters and line breaks. Empty where it cannot be read."""
    try:
        brcode.decode(code)
        return brcode.clean(code)
    except brcode.InvalidBrCode:
        return ""


def _built(charge: Charge, location: str) -> str:
    company = charge.company
    try:  # where no letter of the name is allowed in a code, the tax id stands for it
        name = brcode.fold(company.trade_name, brcode.MAX_NAME) or company.tax_id
        city = brcode.fold(company.city, brcode.MAX_CITY) or "BRASIL"
        return brcode.encode(brcode.BrCode(name=name, city=city, url=location, single_use=True))
    except brcode.InvalidBrCode as error:
        log.error("No code can be built for charge %s: %s", charge.txid, error)
        return ""
