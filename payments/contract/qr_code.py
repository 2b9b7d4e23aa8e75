"""A static QR code."""

from __future__ import annotations

from django.conf import settings

from payments.contract.parts import Json, global_id, time
from payments.models import QrCode


def qr_code(code: QrCode) -> Json:
    """A static QR code, as the contract's `pixQrCode`."""
    return {
        "name": code.name,
        "comment": code.comment,
        "identifier": code.identifier,
        "correlationID": code.correlation_id,
        "globalID": global_id("PixQrCode", code.public_id),
        "pixKey": code.pix_key,
        "brCode": code.br_code,
        "paymentLinkID": str(code.payment_link_id),
        "paymentLinkUrl": f"{settings.PUBLIC_URL}/pay/{code.payment_link_id}",
        "qrCodeImage": f"{settings.PUBLIC_URL}/openpix/pixQrCode/brcode/image/{code.payment_link_id}.png",
        "createdAt": time(code.created_at),
        "updatedAt": time(code.updated_at),
        **({} if code.value is None else {"value": code.value}),
    }
