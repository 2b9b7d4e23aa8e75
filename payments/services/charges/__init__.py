"""Charges: create one, register it at the bank, receive its Pix, refund it, expire it. docs/charges.md explains them."""

from payments.services.charges.creating import MAX_VALUE, ChargeRequest, create, fee, forget
from payments.services.charges.expiring import BANK_DELAY, CURSOR, expire_due
from payments.services.charges.splits import Split

__all__ = [
    "BANK_DELAY",
    "CURSOR",
    "MAX_VALUE",
    "ChargeRequest",
    "Split",
    "create",
    "expire_due",
    "fee",
    "forget",
]
