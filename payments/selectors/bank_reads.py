"""What the bank tells slowly and rarely changes, read through caches: participants, our account, a charge as it has it.

A look-up of a Pix key is not here but in `payments.services.pix_keys`, because it costs the company tokens.
`docs/cache.md` has a table of how old each may be and what a user sees while the bank is down.
"""

from __future__ import annotations

import unicodedata
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from payments import bank as the_bank
from payments.bank.directory import BankAccount, Participant
from payments.bank.port import BankNotFound
from payments.models import Charge
from woovi.cache import ReadThroughCache

MINUTE, HOUR, DAY = 60, 3600, 86_400
LEASE = 2 * settings.BANK_TIMEOUT + 5  # seconds: an access token may have to be fetched first


class NotAtBank(Exception):
    """The bank does not know the charge."""


@dataclass(frozen=True)
class AtBank:
    """A charge as the bank had it at a moment."""

    status: str
    value: int  # centavos
    paid: int  # centavos of the Pix that the bank has received for it
    read_at: datetime


def participants(*, ispb: str = "", name: str = "", compe: str = "") -> list[Participant]:
    """The participants of Pix by name, all or those that match each filter given.

    Args:
        ispb, compe: numbers; leading zeros may be missing.
        name: a part of the name, whatever its case and accents.

    Raises:
        LoadFailed: the bank does not answer, and no earlier answer is left.
    """
    wanted = _plain(name)
    found = [Participant(*row) for row in _participants.get(bank=settings.BANK_ISPB)]
    return [
        each
        for each in found
        if (not ispb or each.ispb == ispb.zfill(8))
        and (not compe or each.compe == compe.zfill(3))
        and wanted in _plain(each.name)
    ]


def account() -> BankAccount:
    """The platform's account at the bank. Raises LoadFailed as `participants`."""
    return BankAccount(**_account.get(bank=settings.BANK_ISPB))


def at_bank(charge: Charge) -> AtBank:
    """The charge as the bank has it, at most ten seconds old, or as old as `read_at` says while the bank is down.

    It is for people to look at. What a charge is worth is decided by the Pix that were booked, never by this.

    Raises:
        NotAtBank: the bank does not know it.
        LoadFailed: as `participants`.
    """
    return AtBank(**_charge.get(tenant=charge.company_id, txid=charge.txid))


def _load_participants(bank: str) -> list[list[str]]:
    rows = the_bank.current().list_participants()
    return [[row.ispb, row.name, row.compe] for row in sorted(rows, key=lambda row: _plain(row.name))]


def _load_account(bank: str) -> dict[str, Any]:
    return asdict(the_bank.current().read_account())


def _load_charge(tenant: int, txid: str) -> dict[str, Any]:
    overdue = Charge.objects.filter(company_id=tenant, txid=txid, type=Charge.Type.OVERDUE).exists()
    try:
        found = the_bank.current().read_charge(txid, overdue=overdue)
    except BankNotFound:
        raise NotAtBank from None
    paid = sum(pix.value for pix in found.received)
    return {"status": found.status, "value": found.value, "paid": paid, "read_at": datetime.now(UTC)}


def _plain(text: str) -> str:
    """The text without case and accents, to be compared."""
    return "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each)).casefold()


def _this_bank() -> list[dict[str, str]]:
    return [{"bank": settings.BANK_ISPB}]


_participants = ReadThroughCache(
    "bank.participants", _load_participants, key=("bank",), ttl=DAY, stale_while_revalidate=DAY, stale_if_error=7 * DAY,
    lease=LEASE, failure_pause=5, local_ttl=1, warm=_this_bank,
    staleness="a day old, or two while it is refreshed; a week while the bank is down, then an error",
)  # fmt: skip
_account = ReadThroughCache(
    "bank.account", _load_account, key=("bank",), ttl=HOUR, stale_while_revalidate=DAY, stale_if_error=30 * DAY,
    lease=LEASE, failure_pause=5, warm=_this_bank,
    staleness="an hour old, or a day while it is refreshed; a month while the bank is down, then an error",
)  # fmt: skip
_charge = ReadThroughCache(
    "bank.charge", _load_charge, key=("tenant", "txid"), ttl=10, stale_if_error=HOUR, negative_ttl={NotAtBank: 10},
    early_refresh=0, lease=LEASE, failure_pause=15,
    staleness="ten seconds old; an hour while the bank is down, with its time beside it, then “does not answer”",
)  # fmt: skip
