"""Payments: create one, approve it, send it by the bank, and book how it ended. docs/payments.md explains them."""

from payments.services.payments.approving import approve, approve_new, deny, remove
from payments.services.payments.correcting import correct
from payments.services.payments.creating import PaymentOrder, create, look_up, read_key, write
from payments.services.payments.sending import ask, check_open, next_look, send

__all__ = [
    "PaymentOrder",
    "approve",
    "approve_new",
    "ask",
    "check_open",
    "correct",
    "create",
    "deny",
    "look_up",
    "next_look",
    "read_key",
    "remove",
    "send",
    "write",
]
