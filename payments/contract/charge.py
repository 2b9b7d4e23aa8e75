"""A charge, its customer and its payer."""

from __future__ import annotations

from datetime import UTC, datetime
from datetime import time as time_of_day

from django.conf import settings
from django.utils import timezone

from payments.contract.parts import Json, global_id, tax_id, time
from payments.models import Charge, Company, QrCode, ReceivedPix
from payments.pix import overdue
from payments.pix.business_days import local_day


def customer(stored: Json) -> Json:
    """A customer as the merchant sent it, with its tax id as an object."""
    return {**stored, **({"taxID": tax_id(stored["taxID"])} if stored.get("taxID") else {})}


def payer(received: ReceivedPix) -> Json:
    """Who paid the Pix: name and tax id, as far as the bank told them."""
    return {
        **({"name": received.payer_name} if received.payer_name else {}),
        **({"taxID": tax_id(received.payer_tax_id)} if received.payer_tax_id else {}),
    }


def payment_link_url(charge: Charge | QrCode) -> str:
    """The address of the page where the shopper pays the charge, or by the static QR code."""
    return f"{settings.PUBLIC_URL}/pay/{charge.payment_link_id}"


def paid_to(charge: Charge, company: Company) -> str:
    """The Pix key that the charge is paid to."""
    return charge.pix_key or company.pix_key


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
        "type": charge.type,
        "comment": charge.comment,
        "correlationID": charge.correlation_id,
        "paymentLinkID": str(charge.payment_link_id),
        "paymentLinkUrl": payment_link_url(charge),
        "globalID": global_id("Charge", charge.public_id),
        "pixKey": paid_to(charge, company),
        "createdAt": time(charge.created_at),
        "updatedAt": time(charge.updated_at),
        "expiresIn": charge.expires_in,
        "expiresDate": time(charge.expires_at),
        "discount": 0,
        "valueWithDiscount": charge.value,
        "ensureSameTaxID": charge.ensure_same_tax_id,
        "paymentMethods": {"pix": {**shared, "method": "PIX_COB", "txId": charge.txid}},
    }
    if charge.is_overdue:
        shown |= _due(charge)
    if charge.customer:
        shown["customer"] = customer(charge.customer)
    if charge.splits:
        shown |= _splits(charge.splits)
    if charge.paid_at:
        shown["paidAt"] = time(charge.paid_at)
    if settled and (who := payer(settled)):
        shown["payer"] = who
    if charge.refunded:  # not in Woovi's API: centavos returned or being returned, by the merchant or the bank
        shown["refunded"] = charge.refunded
    return shown


def _due(charge: Charge) -> Json:
    """What a charge with a due date shows besides: its terms, and what it is worth today, or was when it was paid."""
    today = overdue.amounts(charge.due, local_day(charge.paid_at or timezone.now()))
    terms, noon = charge.terms or {}, time_of_day(hour=12)
    names = {"interests": "interestsSettings", "fines": "finesSettings", "discountSettings": "discountSettings"}
    return {
        # A due date is a day. At noon in UTC it is the same one wherever in Brazil it is read.
        "dueDate": time(datetime.combine(charge.due.due, noon, UTC)),
        "daysAfterDueDate": charge.valid_for,
        "discount": today.discount,
        "valueWithDiscount": today.value - today.discount,
        "interestsValue": today.interest,
        "finesValue": today.fine,
        "valueToPay": charge.worth(),
        **{names[name]: each for name, each in terms.items()},
    }


def _splits(kept: list[Json]) -> Json:
    """Who gets which part; a sub-account that gets all has a field of its own."""
    if kept[0].get("whole"):
        return {"subaccount": {"name": kept[0]["name"], "pixKey": kept[0]["pixKey"]}}
    return {"splits": [{name: split[name] for name in ("value", "pixKey", "splitType")} for split in kept]}
