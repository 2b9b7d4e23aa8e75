"""Charges as a CSV for spreadsheets, a line at a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import QuerySet

from payments.contract import payment_link_url, time
from payments.models import Charge
from payments.selectors import charges as select
from payments.services.csv_lines import line, reais

HEADER = (
    "created", "correlationID", "status", "value", "fee", "refunded", "customer", "taxID", "comment",
    "expires", "paid", "payer", "endToEndId", "txid", "paymentLink",
)  # fmt: skip
AT_ONCE = 500  # charges, with their Pix


def as_csv(charges: QuerySet[Charge]) -> Iterator[str]:
    """The charges, values in reais with a point, times in UTC. `charges` must come from `selectors.charges.with_returned`."""
    yield line(HEADER)
    for charge in charges.iterator(chunk_size=AT_ONCE):
        pix, customer = select.settled_by(charge), charge.customer or {}
        yield line(
            (
                time(charge.created_at),
                charge.correlation_id,
                select.state(charge),
                reais(charge.value),
                reais(pix.fee if pix else charge.fee),
                reais(select.returned(charge)),
                customer.get("name"),
                customer.get("taxID"),
                charge.comment,
                time(charge.expires_at),
                _moment(charge.paid_at),
                pix.payer_name if pix else "",
                pix.end_to_end_id if pix else "",
                charge.txid,
                payment_link_url(charge),
            )
        )


def _moment(at: datetime | None) -> str:
    return time(at) if at else ""
