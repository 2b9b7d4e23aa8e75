"""Objects as the public contract shows them: API answers and webhook bodies are the same snapshots.

Values are centavos, times are UTC with milliseconds and `Z`, a tax id goes out as `{taxID, type}`. What is absent is
left out, never null.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from payments.models import Account, Charge, Company, ReceivedPix, Refund
from payments.selectors.balances import Balance

Json = dict[str, Any]


def time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def global_id(kind: str, public_id: str) -> str:
    return base64.b64encode(f"{kind}:{public_id}".encode()).decode()


def tax_id(number: str) -> Json:
    return {"taxID": number, "type": "BR:CPF" if len(number) == 11 else "BR:CNPJ"}


def customer(stored: Json) -> Json:
    """A customer as it was sent, its tax id as an object."""
    return {**stored, **({"taxID": tax_id(stored["taxID"])} if stored.get("taxID") else {})}


def payer(received: ReceivedPix) -> Json:
    return {
        **({"name": received.payer_name} if received.payer_name else {}),
        **({"taxID": tax_id(received.payer_tax_id)} if received.payer_tax_id else {}),
    }


def payment_link_url(charge: Charge) -> str:
    """The shopper's page of the charge."""
    return f"{settings.PUBLIC_URL}/pay/{charge.payment_link_id}"


def charge(charge: Charge, company: Company, settled: ReceivedPix | None = None) -> Json:
    """A charge; `settled` is the Pix that paid it."""
    image = f"{settings.PUBLIC_URL}/openpix/charge/brcode/image/{charge.payment_link_id}.png"
    shared: Json = {
        "value": charge.value,
        "fee": charge.fee,
        "status": charge.status,
        "brCode": charge.br_code,
        "transactionID": charge.txid,
        "identifier": charge.txid,
        "qrCodeImage": image,
        "additionalInfo": charge.additional_info,
    }
    shown: Json = {
        **shared,
        "type": "DYNAMIC",
        "comment": charge.comment,
        "correlationID": charge.correlation_id,
        "paymentLinkID": str(charge.payment_link_id),
        "paymentLinkUrl": payment_link_url(charge),
        "globalID": global_id("Charge", charge.public_id),
        "pixKey": company.pix_key,
        "createdAt": time(charge.created_at),
        "updatedAt": time(charge.updated_at),
        "expiresIn": charge.expires_in,
        "expiresDate": time(charge.expires_at),
        "discount": 0,
        "valueWithDiscount": charge.value,
        "ensureSameTaxID": charge.ensure_same_tax_id,
        "paymentMethods": {"pix": {**shared, "method": "PIX_COB", "txId": charge.txid}},
    }
    if charge.customer:
        shown["customer"] = customer(charge.customer)
    if charge.paid_at:
        shown["paidAt"] = time(charge.paid_at)
    if settled and (who := payer(settled)):
        shown["payer"] = who
    if charge.refunded:  # an addition of ours: returned or on its way back, by the merchant or by the bank itself
        shown["refunded"] = charge.refunded
    return shown


def refund(refund: Refund) -> Json:
    return {
        "value": refund.value,
        "status": refund.status,
        "correlationID": refund.correlation_id,
        "time": time(refund.resolved_at or refund.created_at),
        "comment": refund.comment,
        **({"endToEndId": refund.end_to_end_id} if refund.end_to_end_id else {}),
    }


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
            "pixKey": {"pixKey": company.pix_key},
            "holder": {"name": company.official_name, "taxID": tax_id(company.tax_id)},
        },
        **({"payer": who, "debitParty": {"holder": who}} if who else {}),
        **({"customer": customer(paid.customer)} if paid and paid.customer else {}),
        **({"charge": charge(paid, company, received)} if paid else {}),
    }


def company(company: Company) -> Json:
    return {
        "officialName": company.official_name,
        "tradeName": company.trade_name,
        "taxID": company.tax_id,
        "correlationID": str(company.correlation_id),
    }


def event(name: str, company: Company, **parts: Any) -> Json:
    """The body of webhook `name`: its parts, and where it happened."""
    return {
        "event": name,
        **parts,
        "company": {"id": company.public_id, "name": company.trade_name, "taxID": company.tax_id},
        "account": {"environment": "PRODUCTION" if settings.PRODUCTION else "TESTING"},
    }


BRANCH = "0001"  # there is one


def account(account: Account, company: Company, balance: Balance) -> Json:
    """An account with its balance. Its number is ours, not a bank's: ten digits of its id."""
    return {
        "accountId": account.public_id,
        "isDefault": account.is_default,
        "balance": {
            "total": balance.total,
            "blocked": balance.pending,
            "available": balance.available,
            "blockedBySecurity": 0,
            "blockedByWithdrawSafety": 0,
        },
        "taxId": company.tax_id,
        "officialName": company.official_name,
        "tradeName": company.trade_name,
        "branch": BRANCH,
        "account": f"{int(account.public_id, 16) % 10**10:010d}",
        "accountName": account.name or company.trade_name,
    }
