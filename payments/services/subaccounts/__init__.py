"""Sub-accounts: set money aside for somebody, move it, pay it out. docs/subaccounts.md explains them."""

from payments.services.subaccounts.moving import credit, debit, transfer
from payments.services.subaccounts.opening import close, find, open_, unblock
from payments.services.subaccounts.withdrawing import ask_withdrawal, check_withdrawal, withdraw

__all__ = [
    "ask_withdrawal",
    "check_withdrawal",
    "close",
    "credit",
    "debit",
    "find",
    "open_",
    "transfer",
    "unblock",
    "withdraw",
]
