"""Nouns and their invariants."""

from payments.models.charge import BankCursor, Charge, ReceivedPix, Refund
from payments.models.company import Application, Company, User
from payments.models.ledger import Account, Entry, LedgerTransaction
from payments.models.webhook import WebhookAttempt, WebhookDelivery, WebhookEndpoint

__all__ = [
    "Account",
    "Application",
    "BankCursor",
    "Charge",
    "Company",
    "Entry",
    "LedgerTransaction",
    "ReceivedPix",
    "Refund",
    "User",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
]
