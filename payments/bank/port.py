"""The port to a bank: what the platform asks of one, in the platform's own terms.

Receiving follows the Central Bank's Pix API, which is the same at every bank. Sending, balance and statement differ.
Values are centavos, times are aware UTC. Every instruction carries an id of ours, and the bank takes the same id for the
same instruction. After `BankUnknown`, look it up or send it again under that id, never under a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Protocol

from payments.bank.directory import Directory
from payments.pix.overdue import Terms


class BankError(Exception):
    """The bank did not do as asked. `code` is the bank's or ours; `detail` may be logged."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class BankRefused(BankError):
    """The bank refused (4xx). The same request will be refused again."""


class BankNotFound(BankRefused):
    """The bank does not know what was asked for (404)."""


class BankConflict(BankRefused):
    """Another call has the same id (409): another instruction, or the same one that is still under way."""


class BankNotOffered(BankError):
    """This bank does not offer this call, such as a statement."""


class BankUnavailable(BankError):
    """The bank did not take the request (no connection, 401, 403, 429, 503). Nothing happened; it may be sent again.

    Of a Pix to send or to return, 403 and 503 are BankUnknown: a proxy may say them of what the bank has taken.

    `retry_after`: seconds until our own limit for the bank lets it be sent; negative where it was not that.
    `was_sent`: the request reached somebody, who may be wrong in saying that nothing happened.
    """

    retry_after = -1.0
    was_sent = True


def not_sent(code: str, detail: str = "") -> BankUnavailable:
    """The error of a request that never left us."""
    error = BankUnavailable(code, detail)
    error.was_sent = False
    return error


class BankUnknown(BankError):
    """No answer in time, or a broken one. It may have happened: look it up by its id before anything else."""


@dataclass(frozen=True)
class Debtor:
    """A person or company by name and tax id: who is to pay a charge, or holds an account."""

    tax_id: str  # CPF or CNPJ, no punctuation
    name: str


@dataclass(frozen=True)
class Address:
    """A debtor's address, without which no charge with a due date is registered."""

    street: str
    city: str
    state: str
    zipcode: str


@dataclass(frozen=True)
class ChargeOrder:
    """A charge to register (`PUT /cob/{txid}`, or with `due` `PUT /cobv/{txid}`)."""

    txid: str
    value: int
    pix_key: str
    expires_in: int  # seconds
    debtor: Debtor | None = None
    payer_request: str = ""  # shown to the payer, at most 140 characters
    additional_info: tuple[tuple[str, str], ...] = ()
    due: Terms | None = None  # then `expires_in` says nothing
    address: Address | None = None  # of the debtor of a charge that is due


@dataclass(frozen=True)
class BankCharge:
    """A charge as the bank has it."""

    txid: str
    status: str  # ATIVA, CONCLUIDA, REMOVIDA_PELO_USUARIO_RECEBEDOR, REMOVIDA_PELO_PSP
    value: int
    location: str  # address of its payload; like `br_code`, empty where the bank leaves it out
    br_code: str
    created_at: datetime | None  # by the bank's clock; None where it cannot be read
    expires_in: int | None  # seconds
    received: tuple[BankReceived, ...] = ()


class ReturnStatus(StrEnum):
    """State of a return, as the Pix API names it."""

    PROCESSING = "EM_PROCESSAMENTO"
    DONE = "DEVOLVIDO"
    REFUSED = "NAO_REALIZADO"


@dataclass(frozen=True)
class BankReturn:
    """A return (devolução) of a received Pix: one that we asked for, or that the bank made by itself."""

    return_id: str
    end_to_end_id: str  # "D…"; empty where the bank leaves it out
    value: int
    status: ReturnStatus
    reason: str = ""
    nature: str = ""  # ORIGINAL, RETIRADA, MED_OPERACIONAL, MED_FRAUDE
    settled_at: datetime | None = field(default=None, compare=False)  # by the bank's clock


@dataclass(frozen=True)
class BankReceived:
    """A Pix that the bank received for us."""

    end_to_end_id: str
    txid: str  # empty for a Pix without charge
    pix_key: str
    value: int
    paid_at: datetime
    payer_name: str = ""
    payer_tax_id: str = ""
    payer_message: str = ""
    returns: tuple[BankReturn, ...] = field(default=())


class SendStatus(StrEnum):
    """State of a sent Pix."""

    PROCESSING = "EM_PROCESSAMENTO"
    DONE = "REALIZADO"
    REFUSED = "NAO_REALIZADO"


@dataclass(frozen=True)
class BankAccount:
    """The receiver's account, for a Pix without a key."""

    ispb: str
    branch: str
    number: str
    type: str  # CACC, SLRY, SVGS, TRAN
    holder: Debtor


@dataclass(frozen=True)
class SendOrder:
    """A Pix to send from our account: to a key, by a BR Code, or to an account."""

    send_id: str  # ours, [a-zA-Z0-9]{1,35}
    value: int
    pix_key: str = ""
    br_code: str = ""
    account: BankAccount | None = None
    payer_message: str = ""
    end_to_end_id: str = ""  # the network's, of our look-up of the key; without one the bank makes it


@dataclass(frozen=True)
class BankSent:
    """A Pix that the bank sends for us."""

    send_id: str
    end_to_end_id: str
    value: int
    status: SendStatus
    reason: str = ""


@dataclass(frozen=True)
class StatementLine:
    """One line of the bank's statement of our account: `value` is negative for money that left."""

    end_to_end_id: str
    value: int
    at: datetime


class Receiving(Protocol):
    """The Central Bank's Pix API, receiver's side. Every call may raise the errors above."""

    def register_charge(self, order: ChargeOrder) -> BankCharge: ...
    def read_charge(self, txid: str, *, overdue: bool = False) -> BankCharge: ...
    def revise_charge(self, txid: str, expires_in: int) -> BankCharge: ...
    def revise_due_charge(self, txid: str, due: date, valid_for: int) -> BankCharge: ...
    def remove_charge(self, txid: str, *, overdue: bool = False) -> BankCharge: ...
    def read_received(self, end_to_end_id: str) -> BankReceived: ...
    def list_received(
        self, start: datetime, end: datetime, left_out: Callable[[Any, str], object] | None = None
    ) -> Iterator[BankReceived]: ...
    def list_returned(self, start: datetime, end: datetime) -> Iterator[BankReceived]: ...
    def request_return(self, end_to_end_id: str, return_id: str, value: int, comment: str = "") -> BankReturn: ...
    def read_return(self, end_to_end_id: str, return_id: str) -> BankReturn: ...
    def set_callback(self, pix_key: str, url: str) -> None: ...


class Sending(Protocol):
    """Calls that differ from bank to bank: sending, balance (now or just before `at`), statement.

    A bank without balance or statement raises BankNotOffered; its days are then compared by the lists of Pix.
    """

    def send_pix(self, order: SendOrder) -> BankSent: ...
    def read_sent(self, send_id: str) -> BankSent: ...
    def balance(self, at: datetime | None = None) -> int: ...
    def statement(self, start: datetime, end: datetime) -> Iterator[StatementLine]: ...


class Bank(Receiving, Sending, Directory, Protocol):
    """A whole bank. `payments.bank.current()` gives the configured one."""
