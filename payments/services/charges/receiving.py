"""Book a Pix that came in: decide its outcome, and write it with its events in one transaction.

The unique end-to-end id keeps a Pix from being booked twice, in whatever way the bank reports it. The charge's row lock
lets only one Pix settle a charge. `docs/charges.md` has the table of outcomes.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from payments import bank, contract
from payments.bank.port import BankError, BankReceived, BankRefused
from payments.models import Account, Charge, Company, QrCode, ReceivedPix
from payments.models.base import new_public_id
from payments.services import companies, ledger
from payments.services.charges import clocks, creating, refunds, registering, splits
from payments.services.errors import Unavailable
from payments.services.ledger import Event, Line, Posting
from woovi import statements

log = logging.getLogger(__name__)
Outcome = ReceivedPix.Outcome
READ_BEFORE = timedelta(minutes=5)  # from when a payer sees the value of a charge until the payment


class _NotRegistered(Exception):
    """The bank has registered the charge, but we have not saved that yet."""


class _CompanyUnknown(Exception):
    """The bank named neither a charge of ours nor the Pix key that received the money."""


class _PayerUnknown(Exception):
    """The charge accepts one payer only, and the bank has not said who paid."""


def receive(received: BankReceived, now: datetime | None = None) -> ReceivedPix | None:
    """Book a Pix that the bank received. Idempotent by its end-to-end id.

    Returns:
        The Pix as booked, now or before. None where nothing is booked: its Pix key belongs to no company here, or its
        value is not positive.

    Raises:
        Unavailable: the bank must be asked first, to finish the charge's registration or for missing fields, and does
            not answer.
    """
    now = now or timezone.now()
    if received.value <= 0:
        log.error("Pix %s is of %s centavos: ignored", received.end_to_end_id, received.value)
        return None
    try:
        return _book_completed(received, now)
    except _NotRegistered:
        # Only after a crash between the registration at the bank and the transaction that saves it.
        registering.register(Charge.objects.select_related("company").get(txid=received.txid), now)
        return _book_completed(received, now)


def _book_completed(received: BankReceived, now: datetime) -> ReceivedPix | None:
    """Book the Pix; where a field is missing that decides its outcome, read that from the bank first."""
    try:
        return _book(received, now)
    except _PayerUnknown:
        at_bank = _read_at_bank(received)
        known = replace(received, payer_name=at_bank.payer_name, payer_tax_id=at_bank.payer_tax_id)
        return _book(known, now, payer_asked=True)
    except _CompanyUnknown:
        at_bank = _read_at_bank(received)
        known = replace(received, pix_key=at_bank.pix_key, txid=at_bank.txid or received.txid)
        if not known.pix_key and known.txid == received.txid:
            raise Unavailable("The bank does not tell whose Pix this is") from None
        return _book_completed(known, now)


def _read_at_bank(received: BankReceived) -> BankReceived:
    """The Pix, read from the bank by its id. Some banks leave fields out of callbacks and lists."""
    try:
        return bank.current().read_received(received.end_to_end_id)
    except BankRefused:
        return received
    except BankError as error:
        raise Unavailable("The bank did not tell all of this Pix") from error


def _book(received: BankReceived, now: datetime, *, payer_asked: bool = False) -> ReceivedPix | None:
    # Longer than a screen by a few lines: one transaction, read from top to bottom.
    with transaction.atomic():
        key = companies.dict_key(received.pix_key)  # some banks pass on the key as the payer's code has it
        charge = _locked_charge(received.txid, key, received.pix_key)
        company = charge.company if charge else _owner(key, received.pix_key)
        if company is None and not received.pix_key:
            raise _CompanyUnknown
        if company is None:
            log.warning("Pix %s is for a key that is not ours: ignored", received.end_to_end_id)
            return None
        if charge and not charge.registered_at:
            raise _NotRegistered
        received = replace(received, paid_at=clocks.paid_at(received, charge, now))
        outcome = _outcome(charge, received)
        if outcome == Outcome.WRONG_PAYER and not (received.payer_tax_id or payer_asked):
            raise _PayerUnknown
        pix = ReceivedPix(
            public_id=new_public_id(),
            company=company,
            charge=charge,
            qr_code=_qr_code(company, received.txid) if charge is None else None,
            end_to_end_id=received.end_to_end_id,
            txid=received.txid,
            value=received.value,
            fee=_fee(charge, company, received.value, outcome),
            outcome=outcome,
            paid_at=received.paid_at,
            payer_name=_text(received.payer_name, 200),
            payer_tax_id=_text(received.payer_tax_id, 14),
            payer_message=_text(received.payer_message, 140),
            created_at=now,
        )
        if not _insert(pix):
            return ReceivedPix.objects.get(end_to_end_id=received.end_to_end_id)
        settled = charge if charge and outcome == Outcome.SETTLED else None
        if settled:  # the same values as _INSERT has just written, for the events
            settled.status, settled.paid_at, settled.updated_at = Charge.Status.COMPLETED, pix.paid_at, now
            settled.paid_value = pix.value if settled.is_overdue else None
        if pix.credited:
            ledger.post(_posting(pix, settled), *(splits.postings(pix, settled) if settled else ()))
        else:
            refunds.return_from_suspense(pix, _posting(pix, None), now)
        return pix


def _owner(key: str, as_sent: str) -> Company | None:
    """The company that has the key, in the DICT's form or as it was sent; or that had it when the Pix was on its way."""
    if found := Company.objects.filter(pix_key__in={key, as_sent}).first():
        return found
    return companies.by_key(key, also_removed=True)


_LOCKED_CHARGE = f"""
SELECT {statements.columns(Charge, "charge")}, {statements.columns(Company, "company")}
FROM payments_charge charge JOIN payments_company company ON company.id = charge.company_id
WHERE charge.txid = $1 FOR UPDATE OF charge
"""  # noqa: S608 (names of our own)


def _locked_charge(txid: str, key: str, as_sent: str) -> Charge | None:
    """The charge with this txid, locked, unless the Pix key is another company's.

    A key that nobody has here is one that the bank masks or writes in its own way: the money is in our account, and its
    txid says whose it is.
    """
    if not txid:
        return None
    for charge, company in statements.rows((Charge, Company), _LOCKED_CHARGE, txid):
        charge.company = company
        if not key or companies.has_key(company, key, also_removed=True) or _owner(key, as_sent) is None:
            return charge  # type: ignore[no-any-return]
    return None


def _qr_code(company: Company, txid: str) -> QrCode | None:
    """The static QR code that was paid. Deleted ones too: a print of them can still be paid."""
    return QrCode.objects.filter(company=company, identifier=txid).first() if txid else None


def _outcome(charge: Charge | None, received: BankReceived) -> str:
    if charge is None:
        return Outcome.LOOSE
    if charge.status == Charge.Status.COMPLETED:
        return Outcome.DUPLICATE
    # Late means paid late. A callback may arrive late for a Pix that was paid in time.
    if charge.status == Charge.Status.EXPIRED or received.paid_at > charge.expires_at:
        return Outcome.LATE
    if charge.ensure_same_tax_id and received.payer_tax_id != (charge.customer or {}).get("taxID"):
        return Outcome.WRONG_PAYER
    if received.value not in _worth(charge, received.paid_at):
        return Outcome.WRONG_VALUE
    return Outcome.SETTLED


def _worth(charge: Charge, paid_at: datetime) -> set[int]:
    """What the charge is worth, in centavos. Just after midnight also what it was worth when the payer's bank read it."""
    return {charge.worth(paid_at), charge.worth(paid_at - READ_BEFORE)} if charge.is_overdue else {charge.value}


def _fee(charge: Charge | None, company: Company, value: int, outcome: str) -> int:
    """The fee in centavos. A charge's was fixed when it was created; a Pix that is returned costs nothing."""
    if charge and outcome == Outcome.SETTLED:
        return min(charge.fee, value)  # less may have been paid than the charge's value, before its due date
    return creating.fee(company, value) if outcome == Outcome.LOOSE else 0


def _text(text: str, length: int) -> str:
    """The text, cut to fit its column: a Pix is not refused for a long name."""
    return text.replace("\0", "")[:length]


# One round trip inserts the Pix and completes the charge that it settles. It changes nothing where the Pix is known.
_INSERT = """
WITH pix AS (
    INSERT INTO payments_receivedpix (public_id, company_id, charge_id, end_to_end_id, txid, value, fee, outcome,
        paid_at, payer_name, payer_tax_id, payer_message, created_at, qr_code_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
    ON CONFLICT (end_to_end_id) DO NOTHING
    RETURNING id, charge_id, outcome, paid_at
), settled AS (
    UPDATE payments_charge SET status = 'COMPLETED', paid_at = pix.paid_at, updated_at = $13,
        paid_value = CASE type WHEN 'OVERDUE' THEN $6::bigint END
    FROM pix WHERE pix.outcome = 'SETTLED' AND payments_charge.id = pix.charge_id
)
SELECT id FROM pix
"""


def _insert(pix: ReceivedPix) -> bool:
    """Write the Pix and complete its charge. Returns False, with nothing written, where its end-to-end id is known."""
    written = statements.fetch(
        _INSERT,
        *(pix.public_id, pix.company_id, pix.charge_id, pix.end_to_end_id, pix.txid, pix.value, pix.fee, pix.outcome),
        *(pix.paid_at, pix.payer_name, pix.payer_tax_id, pix.payer_message, pix.created_at),
        pix.qr_code_id,
    )
    for (pix.pk,) in written:
        return True
    return False


def _posting(pix: ReceivedPix, settled: Charge | None) -> Posting:
    accounts = ledger.accounts(pix.company_id)
    lines = [Line(accounts[Account.Kind.CLEARING], -pix.value)]
    if pix.credited:
        lines += [
            Line(accounts[kind], amount)
            for kind, amount in ((Account.Kind.MERCHANT, pix.value - pix.fee), (Account.Kind.FEES, pix.fee))
            if amount
        ]
    else:
        lines.append(Line(accounts[Account.Kind.SUSPENSE], pix.value))
    return Posting(
        company_id=pix.company_id,
        kind="pix_in",
        correlation_id=pix.end_to_end_id,
        lines=tuple(lines),
        events=_events(pix, settled) if pix.credited else (),
    )


def _events(pix: ReceivedPix, settled: Charge | None) -> tuple[Event, ...]:
    company = pix.company
    body: dict[str, Any] = {"pix": contract.pix(pix, company, settled)}
    received = {
        "charge": None,
        "pixQrCode": contract.qr_code(pix.qr_code) if pix.qr_code else None,
        **body,
        "refunds": [],
    }
    if settled is None:
        return (_event("OPENPIX:TRANSACTION_RECEIVED", company, received),)
    body["charge"] = received["charge"] = body["pix"]["charge"]
    events = [
        _event("OPENPIX:CHARGE_COMPLETED", company, body),
        _event("OPENPIX:TRANSACTION_RECEIVED", company, received),
    ]
    expected = (settled.customer or {}).get("taxID")
    if expected and pix.payer_tax_id and pix.payer_tax_id != expected:
        other = {**body, "payer": contract.payer(pix)}
        events.append(_event("OPENPIX:CHARGE_COMPLETED_NOT_SAME_CUSTOMER_PAYER", company, other))
    return tuple(events)


def _event(topic: str, company: Company, parts: dict[str, Any]) -> Event:
    return Event(topic, contract.event(topic, company, **parts))
