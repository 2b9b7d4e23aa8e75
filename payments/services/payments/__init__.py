"""Payments: create one, approve it, send it by the bank, and book how it ended. docs/payments.md explains them."""

from payments.services.payments.approving import approve, deny, remove
from payments.services.payments.creating import PaymentOrder, create, read_key
from payments.services.payments.sending import ask, check_open, send

__all__ = ["PaymentOrder", "approve", "ask", "check_open", "create", "deny", "read_key", "remove", "send"]
