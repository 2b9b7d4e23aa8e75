"""A payment, the movement of money that it makes, and its receiver."""

from __future__ import annotations

import re

from payments.contract.parts import Json, tax_id, time
from payments.models import Payment
from payments.pix import keys

_NETWORKS_CODE = re.compile(r"([A-Z]{2}[0-9A-Z]{2}) - ")


def payment(payment: Payment) -> Json:
    """A payment as the company asked for it."""
    shown: Json = {
        "type": payment.type,
        "value": payment.value,
        "status": payment.status,
        "correlationID": payment.correlation_id,
        "comment": payment.comment,
    }
    if payment.type == Payment.Type.PIX_KEY:
        kind = keys.parse(payment.pix_key).type
        shown |= {"destinationAlias": payment.pix_key, "destinationAliasType": kind.replace("EVP", "RANDOM")}
    if payment.qr_code:
        shown["qrCode"] = payment.qr_code
    return shown | (payment.account or {})


def movement(payment: Payment) -> Json:
    """The transaction of an approved payment. `time` is when it ended, or was approved while it is under way."""
    company = payment.company
    shown: Json = {
        "value": payment.value,
        "endToEndId": payment.end_to_end_id,
        "time": time(payment.moved_at),
        "debitParty": {"holder": {"name": company.official_name, "taxID": tax_id(company.tax_id)}},
    }
    if code := _NETWORKS_CODE.match(payment.reason):
        shown |= {"providerErrorCode": code[1], "providerRejectedReason": payment.reason}
    return shown


def destination(payment: Payment) -> Json:
    """Who is paid, as far as it is known."""
    if payment.account is None:
        return {"pixKey": payment.pix_key} if payment.pix_key else {}
    holder, account, psp = payment.account["holder"], payment.account["account"], payment.account["psp"]
    return {
        "name": holder["name"],
        "taxID": holder["taxID"]["taxID"],
        "bank": psp.get("name", psp["id"]),
        "branch": account["branch"],
        "account": account["account"],
    }
