"""Template filters and tags of the merchants' pages."""

from __future__ import annotations

import re

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from payments.money import format_reais
from payments.selectors.balances import balance
from payments.selectors.charges import state
from payments.selectors.notices import unread

register = template.Library()
register.filter("state", state)
register.filter("reais", format_reais)
register.simple_tag(balance, name="balance_of")
register.simple_tag(unread, name="unread_of")

STATUSES = {
    "ACTIVE": _("Waiting"),
    "COMPLETED": _("Paid"),
    "PARTLY_REFUNDED": _("Partly refunded"),
    "REFUNDED": _("Refunded"),
    "EXPIRED": _("Expired"),
    "IN_PROCESSING": _("In progress"),
    "CONFIRMED": _("Returned"),
    "REJECTED": _("Refused by the bank"),
}


@register.filter
def status_label(status: str) -> str:
    """A status in the reader's language."""
    return str(STATUSES.get(status, status))


BATCHES = {
    "DRAFT": _("Rows to correct"),
    "VALIDATED": _("Checked"),
    "AWAITING_APPROVAL": _("Waiting for approval"),
    "RUNNING": _("Being paid"),
    "PAUSED": _("Paused"),
    "DONE": pgettext_lazy("batch", "Paid"),
    "PARTIAL": _("Paid in part"),
    "CANCELLED": _("Cancelled"),
}


@register.filter
def batch_label(status: str) -> str:
    """The state of a payout batch in the reader's language."""
    return str(BATCHES.get(status, status))


PAYMENTS = {
    "CREATED": _("Waiting for approval"),
    "APPROVED": _("Approved"),
    "PROCESSING": _("At the bank"),
    "CONFIRMED": _("Sent"),
    "FAILED": _("Failed"),
    "DENIED": _("Denied"),
    "QUARANTINED": _("Being looked into"),
}


@register.filter
def payment_label(status: str) -> str:
    """The state of a payment in the reader's language."""
    return str(PAYMENTS.get(status, status))


DELIVERIES = {"PENDING": _("Waiting"), "DELIVERED": _("Delivered"), "FAILED": _("Failed")}


@register.filter
def delivery_label(status: str) -> str:
    """The state of a webhook's delivery in the reader's language."""
    return str(DELIVERIES.get(status, status))


MOMENTS = {
    "created": _("Charge created"),
    "expired": _("Time to pay was over"),
    "received:SETTLED": _("Paid"),
    "received:DUPLICATE": _("Paid again: goes back to the payer"),
    "received:LATE": _("Paid too late: goes back to the payer"),
    "received:WRONG_PAYER": _("Paid by somebody else: goes back to the payer"),
    "received:WRONG_VALUE": _("Paid with another value: goes back to the payer"),
    "refund:IN_PROCESSING": _("Return asked for"),
    "refund:CONFIRMED": _("Returned to the payer"),
    "refund:REJECTED": _("The bank refused the return"),
    "bank_return:IN_PROCESSING": _("The bank is returning it by itself"),
    "bank_return:CONFIRMED": _("Returned by the bank itself"),
    "bank_return:REJECTED": _("The bank's own return failed"),
}


@register.filter
def moment_label(what: str) -> str:
    """A step of a charge's timeline in the reader's language."""
    return str(MOMENTS.get(what, what))


NOTICES = {
    "received": _("Payment received"),
    "refund_done": _("Returned to the payer"),
    "refund_refused": _("The bank refused the return"),
    "payment_failed": _("A payment failed: its money is back"),
    "batch_done": _("A batch was paid"),
    "batch_partly": _("A batch ended, not all of it was paid"),
    "payment_waits": _("A payment waits for your approval"),
    "batch_waits": _("A batch waits for your approval"),
    "webhook_failing": _("A webhook fails: your server does not accept it"),
}


@register.filter
def notice_label(kind: str) -> str:
    """What a notice tells, in the reader's language."""
    return str(NOTICES.get(kind, kind))


@register.filter
def breakable(name: str) -> SafeString:
    """A name such as `OPENPIX:CHARGE_COMPLETED`, which a narrow line breaks between its words."""
    return SafeString(re.sub("([:_])", r"\1<wbr>", escape(name)))


MOVEMENTS = {
    "pix_in": _("Pix received"),
    "payment": _("Pix sent"),
    "refund": _("Refund"),
    "bank_return": _("Return by the bank"),
    "refund_correction": _("Correction of a refund"),
    "debt_collected": _("Debt collected"),
    "adjustment": _("Adjustment by the platform"),
    "suspense_credit": _("Pix that could not be returned"),
    "subaccount_credit": _("Set aside in a sub-account"),
    "subaccount_debit": _("Given back from a sub-account"),
    "subaccount_transfer": _("Between sub-accounts"),
    "split_subaccount": _("Part of a charge for a sub-account"),
}


@register.filter
def movement_label(kind: str) -> str:
    """A movement of the statement in the reader's language."""
    return str(MOVEMENTS.get(kind, kind.replace("_", " ").capitalize()))


@register.filter
def tax_id(number: str) -> str:
    """A CPF as `123.456.789-09`, a CNPJ as `12.345.678/0001-95`; anything else as it is."""
    match len(number):
        case 11:
            return f"{number[:3]}.{number[3:6]}.{number[6:9]}-{number[9:]}"
        case 14:
            return f"{number[:2]}.{number[2:5]}.{number[5:8]}/{number[8:12]}-{number[12:]}"
    return number
