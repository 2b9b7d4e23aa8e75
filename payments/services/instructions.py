"""What a bank is asked to do with money, and when its refusal of that is final.

An instruction has one id at the bank for ever, under which the bank carries it out once, however often it is requested. A
refusal may be of one request alone, while the bank is still at an earlier one: money that was released then would be
paid twice. `carrying_out` does this for rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta
from typing import ClassVar, Generic, TypeVar

from django.conf import settings

from payments.bank.port import BankConflict, BankNotFound, BankRefused, BankUnavailable, BankUnknown

Answer = TypeVar("Answer")


class RefusedInDoubt(BankUnknown):
    """The bank refused, and may all the same carry this instruction out, by this request or an earlier one."""


class Instruction(ABC, Generic[Answer]):
    """What the bank is asked to do, under one id. `unclear` may be answered to a request that it is carrying out."""

    unclear: ClassVar[tuple[type[BankRefused], ...]] = (BankConflict,)  # a proxy has sent it twice

    @abstractmethod
    def read(self) -> Answer:
        """The instruction as the bank has it. Raises BankNotFound."""

    @abstractmethod
    def request(self) -> Answer:
        """Ask the bank to carry it out."""

    @abstractmethod
    def refused(self, error: BankRefused) -> Answer:
        """A refusal as the answer that ends it. Raises BankUnavailable where another request may be taken."""


def grace() -> timedelta:
    """How long after a request without an answer the bank may still begin to carry it out.

    A worker may be this late with a request, its lease at most, and then the bank with its answer. Its beginning is
    written, and its end judged, by the database's clock: another process's may be minutes off.
    """
    return timedelta(seconds=settings.PAYOUT_LEASE + settings.BANK_TIMEOUT)


def look_up(instruction: Instruction[Answer]) -> Answer | None:
    """The instruction as the bank has it, or None."""
    try:
        return instruction.read()
    except BankNotFound:
        return None


def request(instruction: Instruction[Answer], since: timedelta | None) -> Answer:
    """Request it. A final refusal is returned as an answer; whatever may still change is raised as BankError.

    Args:
        since: time since the latest request without an answer. Before `grace` is over no refusal is final, since it may
            be of this request alone. None where there was none: then only what is `unclear` is not final.
    """
    try:
        return instruction.request()
    except BankRefused as error:
        # "Id already used" is a refusal too. Only if the bank has nothing under this id is it refused.
        if answer := _look_up_after_refusal(instruction):
            return answer
        if isinstance(error, instruction.unclear) if since is None else since < grace():
            raise RefusedInDoubt(error.code, "refused, and may still be carried out") from error
        return instruction.refused(error)


def _look_up_after_refusal(instruction: Instruction[Answer]) -> Answer | None:
    """As `look_up`; but a bank that is away now is no bank of which nothing was requested."""
    try:
        return look_up(instruction)
    except BankUnavailable as error:
        raise BankUnknown(error.code, "not looked up after a refusal") from error
