"""The models, with the invariants that the database enforces."""

from payments.models.cache import Cache
from payments.models.charge import BankCursor, Charge, ReceivedPix, Refund
from payments.models.company import Application, Company, Logo, User
from payments.models.customer import Customer
from payments.models.ledger import Account, Entry, LedgerTransaction
from payments.models.operations import RetentionMark, RowLock
from payments.models.payment import Payment
from payments.models.payout import PayoutBatch, PayoutChunk, PayoutProblem, PayoutRow
from payments.models.phone import Phone
from payments.models.pix_key import FurtherKey, PixKeyMovement
from payments.models.proposal import Proposal
from payments.models.qr_code import QrCode
from payments.models.reconciliation import BankDay, BankDifference, LedgerCheck, SetAsidePix
from payments.models.security import SecurityEvent
from payments.models.subaccount import MovementNote, Subaccount
from payments.models.switch import Switch
from payments.models.transfer_period import TransferPeriod
from payments.models.webhook import WebhookAttempt, WebhookDelivery, WebhookEndpoint

__all__ = [
    "Account",
    "Application",
    "BankCursor",
    "BankDay",
    "BankDifference",
    "Cache",
    "Charge",
    "Company",
    "Customer",
    "Entry",
    "FurtherKey",
    "LedgerCheck",
    "LedgerTransaction",
    "Logo",
    "MovementNote",
    "Payment",
    "PayoutBatch",
    "PayoutChunk",
    "PayoutProblem",
    "PayoutRow",
    "Phone",
    "PixKeyMovement",
    "Proposal",
    "QrCode",
    "ReceivedPix",
    "Refund",
    "RetentionMark",
    "RowLock",
    "SecurityEvent",
    "SetAsidePix",
    "Subaccount",
    "Switch",
    "TransferPeriod",
    "User",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
]
