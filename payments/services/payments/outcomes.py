"""Book how a payment ended at the bank: post or void its hold, with the event, in one transaction."""

from __future__ import annotations

import logging
import re
from datetime import datetime

from payments import contract
from payments.bank.port import BankSent, SendStatus
from payments.models import Account, Payment, Subaccount
from payments.services import ledger, transfer_limits
from payments.services.ledger import Event

log = logging.getLogger(__name__)

Status = Payment.Status
# A bank's reason may begin with a code: the network's ("AC06 - …") or one of the contract's ("ACCOUNT_NOT_FOUND - …").
_CODE = re.compile(r"([A-Z][A-Za-z0-9_]{3,59}) - ")
_NETWORKS = re.compile(r"[A-Z]{2}[0-9A-Z]{2}")
NOT_AUTHORIZED, OTHER = "PIX_OUT_NOT_AUTHORIZED", "PAY_PIX_KEY_ERROR"
# The bank's words for a refusal at once, as the contract says it.
REFUSALS = {
    "ChaveNaoEncontrada": "PIX_KEY_INFO_NOT_FOUND",
    "ChavePixInvalida": "INVALID_PIX_KEY",
    "EntryBlocked": "ENTRY_ASSOCIATED_WITH_RESTRICTED_ACCOUNT_OR_USER",
    "TaxIdNumberBlocked": "ENTRY_ASSOCIATED_WITH_RESTRICTED_ACCOUNT_OR_USER",
}
# Another withdrawal to the same key would end as this one: a sub-account's are refused from then on.
NO_SUCH_RECEIVER = {"PIX_KEY_INFO_NOT_FOUND", "ENTRY_ASSOCIATED_WITH_RESTRICTED_ACCOUNT_OR_USER"}


def book(payment: Payment, answer: BankSent, now: datetime) -> Payment:
    """Post or void the hold, as the bank answered. Idempotent; an answer that is not final changes no money.

    The caller has locked the payment's row.
    """
    if payment.status not in Payment.OPEN:
        return payment
    if answer.value != payment.value:
        log.error("Payment %s is of %s centavos, the bank says %s", payment.pk, payment.value, answer.value)
        return payment
    payment.status, payment.unknown_since = Status.PROCESSING, None
    payment.end_to_end_id = answer.end_to_end_id or payment.end_to_end_id
    if answer.status == SendStatus.DONE:
        _confirm(payment, now)
    elif answer.status == SendStatus.REFUSED:
        _fail(payment, answer.reason, now)
    payment.save(update_fields=["status", "unknown_since", "end_to_end_id", "error_code", "reason", "resolved_at"])
    return payment


def _confirm(payment: Payment, now: datetime) -> None:
    assert payment.hold_id
    payment.status, payment.resolved_at = Status.CONFIRMED, now
    clearing = ledger.accounts(payment.company_id)[Account.Kind.CLEARING]
    told = (event(payment),)
    ledger.post(ledger.post_hold(payment.hold_id, payment.public_id, "payment", payment.value, clearing, told))


def _fail(payment: Payment, reason: str, now: datetime) -> None:
    assert payment.hold_id
    assert payment.approved_at
    payment.status, payment.resolved_at, payment.reason = Status.FAILED, now, reason[:200]
    payment.error_code = error_code(reason)
    if payment.source_id and payment.error_code in NO_SUCH_RECEIVER:
        # Before its account is locked, as a withdrawal does.
        Subaccount.objects.filter(account=payment.source_id).update(withdraw_blocked=True)
    transfer_limits.count(payment.company_id, -payment.value, payment.approved_at)
    ledger.post(ledger.void_hold(payment.hold_id, payment.public_id, "payment_void", (event(payment),)))


def error_code(reason: str) -> str:
    """The contract's code for a bank's reason."""
    match = _CODE.match(reason)
    if not match:
        return OTHER
    code = match[1]
    if _NETWORKS.fullmatch(code):
        return NOT_AUTHORIZED
    return REFUSALS.get(code, code if code.isupper() else OTHER)


def event(payment: Payment) -> Event:
    """The event of a payment's end, for the ledger to write."""
    name = f"OPENPIX:MOVEMENT_{payment.status}"
    error = {"error": {"code": payment.error_code, "description": payment.reason}} if payment.error_code else {}
    body = contract.event(
        name, payment.company, payment=contract.payment(payment), transaction=contract.movement(payment), **error
    )
    return Event(name, body)


def contradict(payment: Payment, answer: BankSent | None, now: datetime) -> None:
    """Note whether the bank's answer about a payment that has ended is the opposite of how it ended here."""
    paid_there = answer is not None and answer.status == SendStatus.DONE
    opposite = paid_there != (payment.status == Status.CONFIRMED)
    if opposite:
        log.error("Payment %s is %s, and the bank says otherwise", payment.pk, payment.status)
    Payment.objects.filter(pk=payment.pk).update(contradicted_at=now if opposite else None)
