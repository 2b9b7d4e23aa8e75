"""The JSON objects of the public API. API answers and webhook bodies show the same ones.

Values are centavos, times are UTC with milliseconds and `Z`, a tax id is `{taxID, type}`. An absent value is left out,
never null. Source: Woovi's OpenAPI description.
"""

from payments.contract.account import account, company, limits
from payments.contract.charge import charge, payer, payment_link_url
from payments.contract.customer import customer
from payments.contract.event import event
from payments.contract.parts import time
from payments.contract.payment import destination, movement, payment
from payments.contract.pix import pix, refund
from payments.contract.qr_code import qr_code
from payments.contract.subaccount import subaccount, subaccount_line, withdrawal
from payments.contract.transaction import pix_refund, statement_line, transaction

__all__ = [
    "account",
    "charge",
    "company",
    "customer",
    "destination",
    "event",
    "limits",
    "movement",
    "payer",
    "payment",
    "payment_link_url",
    "pix",
    "pix_refund",
    "qr_code",
    "refund",
    "statement_line",
    "subaccount",
    "subaccount_line",
    "time",
    "transaction",
    "withdrawal",
]
