"""Create a payment: to a Pix key, by a BR Code, or to an account. Nothing is held yet.

A key is looked up in the DICT, through the cache and paid with tokens, before the row is written.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from payments.models import Company, Payment, User
from payments.pix import brcode, ids, keys
from payments.services import companies, frozen, pix_keys, references
from payments.services.errors import Duplicate, Invalid, Unavailable
from woovi import outbox

log = logging.getLogger(__name__)

MAX_VALUE = 999_999_999_999  # centavos: what the Pix API's ten digits of reais hold
ALREADY = "Já existe um pagamento com o correlationID fornecido"  # Woovi's own words
Type = Payment.Type
# Eleven digits alone stay refused: with a + before them they would be somebody else's phone, in another country.
_BRAZILIAN = re.compile(r"55[0-9]{10,11}")


@dataclass(frozen=True)
class PaymentOrder:
    """What to pay, by exactly one of `pix_key`, `qr_code` and `account`. `value` (centavos) may be left to the code."""

    correlation_id: str
    value: int | None = None
    pix_key: str = ""
    pix_key_type: str = ""  # the contract's: CPF, CNPJ, EMAIL, PHONE or RANDOM; empty to tell it by the key's form
    qr_code: str = ""
    account: dict[str, Any] | None = None  # {"holder", "account", "psp"}, as the contract has them
    comment: str = ""
    end_to_end_id: str = ""  # of the look-up of the key
    metadata: dict[str, Any] | None = None
    source_id: int | None = None  # the account that pays; None is the company's default account
    owner: dict[str, str] | None = None  # of the key, as it was shown: {"name", "taxID" masked, "bank"}


def create(company: Company, order: PaymentOrder, now: datetime | None = None, *, maker: User | None = None) -> Payment:
    """Look its key up, and write the payment, CREATED. It waits for `approve`, by another person than `maker`.

    Raises:
        Duplicate: the company has used the correlationID for a payment, or for a row of a batch.
        Invalid: the key, the code, the account or the value cannot be paid.
        TooMany: the company has no tokens to look the key up.
    """
    look_up(company, order)
    return write(company, order, now, maker=maker)


def look_up(company: Company, order: PaymentOrder) -> None:
    """Look the order's key up, unless the company has done so. Raises Invalid and TooMany, as `create`."""
    frozen.refuse(company, "payments")
    receiver = _checked(company, order)
    if receiver["type"] == Type.PIX_KEY and not _known(order.end_to_end_id):
        _look_up(company, receiver["pix_key"])


def write(company: Company, order: PaymentOrder, now: datetime | None = None, *, maker: User | None = None) -> Payment:
    """`create` without the look-up, which asks the bank: for the caller's transaction. Raises Duplicate, Invalid."""
    frozen.refuse(company, "payments")
    payment = Payment(
        company=company,
        correlation_id=order.correlation_id,
        comment=order.comment,
        metadata=order.metadata,
        source_id=order.source_id,
        owner=order.owner,
        maker=maker,
        end_to_end_id=_known(order.end_to_end_id),
        created_at=now or timezone.now(),
        **_checked(company, order),
    )
    try:
        with transaction.atomic():
            if references.in_batches(company.pk, order.correlation_id):
                raise Duplicate(ALREADY, "correlationID")
            payment.save(force_insert=True)
            if maker:  # refreshes the pages of who may approve it; what programs make, they approve
                outbox.write("payment.requested", str(company.pk), {"payment_id": payment.pk})
    except IntegrityError as error:
        if Payment.objects.filter(company=company, batch=None, correlation_id=order.correlation_id).exists():
            raise Duplicate(ALREADY, "correlationID") from error
        raise
    return payment


def _checked(company: Company, order: PaymentOrder) -> dict[str, Any]:
    """The columns that say who is paid, and how much."""
    receiver = _receiver(company, order)
    value = receiver.pop("value", None) or order.value
    if value is None or not 0 < value <= MAX_VALUE:
        raise Invalid(f"value must be from 1 to {MAX_VALUE} centavos", "value")
    return {**receiver, "value": value}


def _receiver(company: Company, order: PaymentOrder) -> dict[str, Any]:
    if order.qr_code:
        return _of_code(order)
    if order.account is not None:
        return {"type": Type.MANUAL, "account": order.account}
    key = read_key(order.pix_key, order.pix_key_type)
    if companies.has_key(company, key.value):
        raise Invalid("destinationAlias is the company's own key", "destinationAlias")
    return {"type": Type.PIX_KEY, "pix_key": key.value}


def read_key(text: str, kind: str = "", field: str = "destinationAlias") -> keys.PixKey:
    """A key as the merchant wrote it in `field`. Before a Brazilian phone with its 55, the `+` may be missing. Raises Invalid."""
    if kind == "PHONE" and _BRAZILIAN.fullmatch(re.sub(r"[\s().-]", "", text)):
        text = f"+{text}"
    try:
        key = keys.parse(text)
    except keys.InvalidKey as error:
        raise Invalid(f"{field} is not a Pix key: {error}", field) from None
    if kind and kind.replace("RANDOM", "EVP") != key.type:
        raise Invalid(f"{field} is no key of type {kind}", field)
    return key


def _look_up(company: Company, key: str) -> None:
    """Refuse a key that nobody has, or whose account is suspected of fraud.

    Without an answer the payment is created all the same: the bank, which looks the key up too, decides. Rejected: to
    refuse. A directory that is away for a minute would stop payments that the bank would have taken a minute later.
    """
    try:
        pix_keys.look_up(company, key)
    except pix_keys.KeyNotFound as error:
        raise Invalid("destinationAlias is a Pix key that nobody has", "destinationAlias") from error
    except pix_keys.KeyRefused as error:  # also of a key of this bank, which the DICT does not tell about
        if error.code == pix_keys.RESTRICTED:
            words = "destinationAlias is a Pix key of an account suspected of fraud"
            raise Invalid(words, "destinationAlias") from error
    except Unavailable:
        log.info("The directory does not answer: a payment is created without a look-up of its key")


def _of_code(order: PaymentOrder) -> dict[str, Any]:
    try:
        code, text = brcode.decode(order.qr_code), brcode.clean(order.qr_code)
    except brcode.InvalidBrCode as error:
        raise Invalid(f"qrCode is not a Pix code: {error}", "qrCode") from None
    if code.value and order.value and code.value != order.value:
        raise Invalid(f"value is not the code's, {code.value} centavos", "value")
    key = read_key(code.key, field="qrCode").value if code.key else ""
    return {"type": Type.QR_CODE, "qr_code": text, "pix_key": key, "value": code.value}


def _known(end_to_end_id: str) -> str:
    """The id, or empty where it has not the network's form, as those of Woovi's own sandbox."""
    try:
        return str(ids.parse(end_to_end_id))
    except ids.InvalidId:
        return ""
