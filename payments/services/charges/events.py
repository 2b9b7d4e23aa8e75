"""The events of a charge, as they are written to the outbox."""

from __future__ import annotations

from payments import contract
from payments.models import Charge
from woovi import outbox


def write_event(topic: str, charge: Charge) -> None:
    """Write the event `topic` with the charge as it is now. Call it in the transaction that changes the charge."""
    body = contract.event(topic, charge.company, charge=contract.charge(charge, charge.company))
    outbox.write(topic, str(charge.company_id), body)
