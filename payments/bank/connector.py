"""The port, by calls to a bank's HTTP API.

Receiving is the Central Bank's Pix API (2.8). The rest differs from bank to bank: here it is the simulator's, under `/sim`
and `/dict`. Another bank's belongs into a class beside this one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote

from payments.bank import directory_wire, wire
from payments.bank.directory import BankAccount, KeyOwner, Participant
from payments.bank.port import (
    BankCharge,
    BankNotFound,
    BankNotOffered,
    BankReceived,
    BankReturn,
    BankSent,
    BankUnknown,
    ChargeOrder,
    SendOrder,
    StatementLine,
)
from payments.bank.session import Session

PAGE = 1000  # items, the most that the Pix API gives in one answer
# Of one query of the list: banks refuse longer ones, each by its own limit. The shortest known is five days.
SLICE = timedelta(days=5)

T = TypeVar("T")


class Connector:
    """Implements `payments.bank.port.Bank`; the errors are the port's."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def register_charge(self, order: ChargeOrder) -> BankCharge:
        body = wire.charge_body(order)
        return self._read(wire.charge, "PUT", _charge_path(order.txid, overdue=order.due is not None), body)

    def read_charge(self, txid: str, *, overdue: bool = False) -> BankCharge:
        return self._read(wire.charge, "GET", _charge_path(txid, overdue=overdue))

    def revise_charge(self, txid: str, expires_in: int) -> BankCharge:
        """Let an active charge end `expires_in` seconds after the bank made it."""
        body = {"calendario": {"expiracao": expires_in}}
        return self._read(wire.charge, "PATCH", _charge_path(txid, overdue=False), body)

    def revise_due_charge(self, txid: str, due: date, valid_for: int) -> BankCharge:
        """Let an active charge with a due date be paid for `valid_for` days after it."""
        body = {"calendario": wire.due_calendar(due, valid_for)}
        return self._read(wire.charge, "PATCH", _charge_path(txid, overdue=True), body)

    def remove_charge(self, txid: str, *, overdue: bool = False) -> BankCharge:
        """Remove a charge that is not paid. BankRefused where it is paid, or was removed before."""
        body = {"status": "REMOVIDA_PELO_USUARIO_RECEBEDOR"}
        return self._read(wire.charge, "PATCH", _charge_path(txid, overdue=overdue), body)

    def read_received(self, end_to_end_id: str) -> BankReceived:
        return self._read(wire.received, "GET", f"/pix/{_part(end_to_end_id)}")

    def list_received(
        self, start: datetime, end: datetime, left_out: wire.LeftOut | None = None
    ) -> Iterator[BankReceived]:
        """Every Pix received from `start` to `end`, both included, oldest first. One may come twice, where two slices meet.

        An item that cannot be read is logged at ERROR, passed to `left_out` with the reason, and skipped, so that the
        others are still booked.
        """
        for since, until in _slices(start, end):
            yield from self._pages(wire.received, "/pix", "pix", since, until, left_out)

    def list_returned(self, start: datetime, end: datetime) -> Iterator[BankReceived]:
        """The same list, but only Pix that were returned, wholly or in part."""
        for since, until in _slices(start, end):
            yield from self._pages(wire.received, "/pix", "pix", since, until, devolucaoPresente="true")

    def request_return(self, end_to_end_id: str, return_id: str, value: int, comment: str = "") -> BankReturn:
        body = {"valor": wire.reais(value), **({"descricao": comment} if comment else {})}
        path = f"/pix/{_part(end_to_end_id)}/devolucao/{_part(return_id)}"
        return _understood(wire.returned, self._session.call("PUT", path, body=body, sends=True))

    def read_return(self, end_to_end_id: str, return_id: str) -> BankReturn:
        return self._read(wire.returned, "GET", f"/pix/{_part(end_to_end_id)}/devolucao/{_part(return_id)}")

    def set_callback(self, pix_key: str, url: str) -> None:
        """Ask the bank to POST to `url` + "/pix" for every Pix to `pix_key`."""
        self._session.call("PUT", f"/webhook/{_part(pix_key)}", body={"webhookUrl": url})

    def send_pix(self, order: SendOrder) -> BankSent:
        answer = self._session.call("PUT", f"/sim/pix/{_part(order.send_id)}", body=wire.send_body(order), sends=True)
        return _understood(wire.sent, answer)

    def read_sent(self, send_id: str) -> BankSent:
        return self._read(wire.sent, "GET", f"/sim/pix/{_part(send_id)}")

    def balance(self, at: datetime | None = None) -> int:
        query = {"em": wire.instant(at)} if at else None
        with _offered():
            return _understood(wire.balance, self._session.call("GET", "/sim/balance", query=query))

    def statement(self, start: datetime, end: datetime) -> Iterator[StatementLine]:
        with _offered():
            yield from self._pages(wire.statement_line, "/sim/statement", "movimentos", start, end)

    def lookup_key(self, pix_key: str, payer_tax_id: str, end_to_end_id: str) -> KeyOwner:
        headers = {
            "PI-RequestingParticipant": end_to_end_id[1:9],
            "PI-PayerId": payer_tax_id,
            "PI-EndToEndId": end_to_end_id,
        }
        answer, cache_control = self._session.read(f"/dict/entries/{_part(pix_key)}", headers)
        return _understood(lambda body: directory_wire.key_owner(body, cache_control), answer)

    def register_key(self, request_id: str, key_type: str, pix_key: str, tax_id: str, name: str) -> str:
        body = directory_wire.new_entry(request_id, key_type, pix_key, tax_id, name)
        return self._read(directory_wire.entry_key, "POST", "/dict/entries", body)

    def remove_key(self, pix_key: str) -> None:
        self._session.call("DELETE", f"/dict/entries/{_part(pix_key)}")

    def list_participants(self) -> list[Participant]:
        return self._read(directory_wire.participants, "GET", "/sim/participants")

    def read_account(self) -> BankAccount:
        return self._read(directory_wire.account, "GET", "/sim/account")

    def _read(self, reader: Callable[[Any], T], method: str, path: str, body: object = None) -> T:
        return _understood(reader, self._session.call(method, path, body=body))

    def _pages(
        self, reader: Callable[[Any], T], path: str, name: str, start: datetime, end: datetime,
        left_out: wire.LeftOut | None = None, **filters: str,
    ) -> Iterator[T]:  # fmt: skip
        number, items = 0, None
        while True:
            query = {
                "inicio": wire.instant(start),
                "fim": wire.instant(end),
                "paginacao.paginaAtual": str(number),
                "paginacao.itensPorPagina": str(PAGE),
                **filters,
            }
            answer = self._session.call("GET", path, query=query)
            before, items = items, _understood(lambda body: wire.items(body, name), answer)
            if number and items == before:  # the bank knows no pages
                return
            yield from _understood(lambda found: wire.readable(reader, found, left_out=left_out), items)
            number, pages = number + 1, wire.page_count(answer)
            if number >= pages if pages else not items:
                return


def _slices(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The time from `start` to `end` in parts of at most SLICE. Each begins where the one before it ends."""
    while (until := start + SLICE) < end:
        yield start, until
        start = until
    yield start, end


@contextlib.contextmanager
def _offered() -> Iterator[None]:
    """Raise BankNotOffered where the bank answers 404 to the whole address."""
    try:
        yield
    except BankNotFound as error:
        raise BankNotOffered(error.code, error.detail) from None


def _understood(reader: Callable[[Any], T], answer: Any) -> T:
    """The answer as a value. Raises BankUnknown where it cannot be read, since the bank may have done what was asked."""
    try:
        return reader(answer)
    except wire.UNREADABLE as error:
        raise BankUnknown("BrokenAnswer", f"{type(error).__name__} in the bank's answer") from None


def _charge_path(txid: str, *, overdue: bool) -> str:
    """The Pix API keeps charges with a due date apart from immediate ones."""
    return f"/{'cobv' if overdue else 'cob'}/{_part(txid)}"


def _part(text: str) -> str:
    return quote(text, safe="")
