"""The port to what a bank knows of others: who has a Pix key (DICT), who takes part in Pix; and of our own account.

All of it is read. Nothing happens at the bank, so after any error the same may be asked again. Reads are slow and counted
by the Central Bank: services ask through the caches of `payments.services.pix_keys` and `payments.selectors.bank_reads`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class KeyOwner:
    """Who has a Pix key, and the account behind it (DICT API, `Entry`)."""

    pix_key: str  # as the DICT writes it
    key_type: str  # CPF, CNPJ, PHONE, EMAIL, EVP
    ispb: str  # the account's bank, 8 characters
    branch: str
    account: str
    account_type: str  # CACC current, SVGS savings, TRAN payment, SLRY salary
    tax_id: str  # CPF or CNPJ, no punctuation
    name: str
    trade_name: str = ""  # of a company, where the DICT has one
    fresh_for: float = field(default=0.0, compare=False)  # seconds, by the answer's Cache-Control; 0: not to be kept


@dataclass(frozen=True)
class Participant:
    """A bank or payment institution that takes part in Pix."""

    ispb: str
    name: str
    compe: str = ""  # its three digits in older systems; empty where it has none


@dataclass(frozen=True)
class BankAccount:
    """The platform's account at the bank."""

    ispb: str
    branch: str
    number: str
    type: str  # as KeyOwner.account_type
    holder: str
    tax_id: str


class Directory(Protocol):
    """Reads that say nothing of single payments. Every call may raise the errors of `payments.bank.port`."""

    def lookup_key(self, pix_key: str, payer_tax_id: str, end_to_end_id: str) -> KeyOwner:
        """Ask the DICT who has a key. The Central Bank counts it against the payer.

        Args:
            pix_key: as `payments.pix.keys.parse` writes it.
            payer_tax_id: CPF or CNPJ of who wants to pay, no punctuation.
            end_to_end_id: of the payment that the look-up is for, whether or not it is made.

        Raises:
            BankNotFound: nobody has the key.
            BankRefused: `code` is the DICT's, such as EntryBlocked, or EntryCannotBeQueriedForBookTransfer where the
                account is at this bank.
            BankUnavailable: also where too many keys were asked for; then `code` is RateLimited.
        """
        ...

    def register_key(self, request_id: str, key_type: str, pix_key: str, tax_id: str, name: str) -> str:
        """Register a key of our account for the company with this CPF or CNPJ and name. Returns it.

        Args:
            request_id: ours; the same one again is the same key.
            key_type: CPF, CNPJ or EVP.
            pix_key: empty for EVP: then the directory chooses it.

        Raises:
            BankRefused: somebody has the key, or it may not be this company's.
        """
        ...

    def remove_key(self, pix_key: str) -> None:
        """Take a key of our account out of the directory. Raises BankNotFound where it is not there."""
        ...

    def list_participants(self) -> list[Participant]: ...
    def read_account(self) -> BankAccount: ...
