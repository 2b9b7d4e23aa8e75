"""Payments: create one, approve it, send it by the bank, and book how it ended. docs/payments.md explains them."""

from payments.services.payments.approving import approve, deny, remove
from payments.services.payments.correcting import correct
from payments.services.payments.creating import PaymentOrder, create
from payments.services.payments.sending import ask, check_open, send

__all__ = ["PaymentOrder", "approve", "ask", "check_open", "correct", "create", "deny", "remove", "send"]
