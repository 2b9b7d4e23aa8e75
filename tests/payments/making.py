"""Things that tests of charges need: companies, charges that the bank has registered, Pix as the bank tells them."""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from payments.bank.port import BankReceived
from payments.models import Account, Charge, Company
from payments.pix import keys
from payments.services import charges, companies
from woovi import trace
from woovi.outbox.models import OutboxEvent

NOW = datetime(2026, 3, 2, 17, 28, 51, tzinfo=UTC)
ANA, BIA = "11144477735", "52998224725"  # CPFs

_numbers = itertools.count(1)


def company(**fields: Any) -> Company:
    number = next(_numbers)
    base = f"{number:012d}"
    made = companies.onboard(
        official_name=f"Loja {number} Ltda",
        trade_name=f"Loja {number}",
        tax_id=base + keys.check_digits(base),
        pix_key=f"loja{number}@example.com",
    )
    for name, value in fields.items():
        setattr(made, name, value)
    made.save()
    return made


def charge(owner: Company, value: int = 1000, **fields: Any) -> Charge:
    """A charge of NOW that lasts an hour, as after `charges.create`."""
    return Charge.objects.create(
        company=owner,
        **{
            "correlation_id": str(uuid.uuid4()),
            "request_hash": b"",
            "value": value,
            "fee": charges.fee(owner, value),
            "txid": uuid.uuid4().hex,
            "br_code": "00020101",
            "expires_in": 3600,
            "expires_at": NOW + timedelta(hours=1),
            "registered_at": NOW,
            "created_at": NOW,
            **fields,
        },
    )


def end_to_end_id() -> str:
    return f"E54811417202603021728{uuid.uuid4().hex[:11]}"


def pix(paid: Charge | None = None, **fields: Any) -> BankReceived:
    """A Pix of BIA's, a minute after NOW, that pays `paid` in full."""
    told: dict[str, Any] = {
        "end_to_end_id": end_to_end_id(),
        "txid": paid.txid if paid else "",
        "pix_key": paid.company.pix_key if paid else "",
        "value": paid.value if paid else 1000,
        "paid_at": NOW + timedelta(minutes=1),
        "payer_name": "Bia",
        "payer_tax_id": BIA,
    }
    return BankReceived(**{**told, **fields})


def balances(owner: Company) -> dict[str, int]:
    """Centavos posted by kind of account."""
    return dict(Account.objects.filter(company=owner).values_list("kind", "posted"))


def arguments(event: OutboxEvent) -> dict[str, Any]:
    """What the task of a `task:` event gets: all but the trace in which it was written."""
    return {name: value for name, value in event.payload.items() if name != trace.HEADER}
