"""A received Pix and its refund."""

from __future__ import annotations

from payments.contract.charge import charge, customer, paid_to, payer
from payments.contract.parts import Json, global_id, tax_id, time
from payments.contract.qr_code import qr_code
from payments.models import Charge, Company, ReceivedPix, Refund


def refund(refund: Refund) -> Json:
    """A refund. `time` is when it ended, or began while it is under way."""
    return {
        "value": refund.value,
        "status": refund.status,
        "correlationID": refund.correlation_id,
        "time": time(refund.resolved_at or refund.created_at),
        "comment": refund.comment,
        **({"endToEndId": refund.end_to_end_id} if refund.end_to_end_id else {}),
    }


def _key(received: ReceivedPix, company: Company, paid: Charge | None) -> str:
    """The Pix key that it was sent to, as far as that is kept."""
    if paid:
        return paid_to(paid, company)
    return received.qr_code.pix_key if received.qr_code else company.pix_key


def pix(received: ReceivedPix, company: Company, paid: Charge | None) -> Json:
    """A received Pix as `pix` in a webhook's body. `paid` is the charge that it settled."""
    who = payer(received)
    return {
        "value": received.value,
        "time": time(received.paid_at),
        "endToEndId": received.end_to_end_id,
        "transactionID": received.txid,
        "infoPagador": received.payer_message,
        "status": "CONFIRMED",
        "type": "PAYMENT",
        "createdAt": time(received.created_at),
        "globalID": global_id("PixTransaction", received.public_id),
        "creditParty": {
            "pixKey": {"pixKey": _key(received, company, paid)},
            "holder": {"name": company.official_name, "taxID": tax_id(company.tax_id)},
        },
        **({"payer": who, "debitParty": {"holder": who}} if who else {}),
        **({"customer": customer(paid.customer)} if paid and paid.customer else {}),
        **({"charge": charge(paid, company, received)} if paid else {}),
        **({"pixQrCode": qr_code(received.qr_code)} if received.qr_code else {}),
    }
