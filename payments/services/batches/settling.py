"""Book what came of some rows at once: their payments, the ledger, the events and the batch, in one transaction."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.db import transaction

from payments import contract
from payments.contract.parts import tax_id
from payments.models import Account, Payment, PayoutBatch
from payments.services import ledger
from payments.services.batches import reserve
from payments.services.batches.columns import Row
from payments.services.batches.leases import Chunk
from payments.services.batches.lifecycle import finish
from payments.services.ledger.balance_cache import announce_change
from payments.services.ledger.packing import integers, texts
from woovi import statements

Status = Payment.Status
SQL = Path(__file__).parent / "sql"
_WRITE, _BOOK = (SQL / "write_payments.sql").read_text(), (SQL / "book_payments.sql").read_text()


@dataclass(frozen=True)
class Result:
    """What came of a row in a round: its state and what the bank said. PROCESSING where the end is not known yet."""

    row: Row
    round: int
    status: Payment.Status
    end_to_end_id: str = ""
    error_code: str = ""
    reason: str = ""
    is_unknown: bool = False


def payment_id(batch: PayoutBatch, line: int, round_: int) -> str:
    """The payment's public id, and so its id at the bank: the same for whoever sends this row in this round."""
    name = f"{batch.public_id}/{line}/{round_}"
    return hashlib.blake2b(name.encode(), digest_size=12).hexdigest()


def settle(
    batch: PayoutBatch, results: Sequence[Result], now: datetime, chunk: Chunk | None = None, *, last: bool = False
) -> PayoutBatch:
    """Write the results, once each. Rows that have ended before are left as they are. Returns the batch as it is now.

    Results of an earlier round are dropped: booked in the round of now, they would stand for what was not sent yet.

    Args:
        chunk: whose lease the caller works under; renewed, or ended with the `last` of its rows. Raises LeaseLost.
            Without one, only payments that are there already are changed.
    """
    began = time.monotonic()
    with transaction.atomic():
        announce_change({batch.company_id})
        # The lock makes settlements of one batch take turns: each replaces its hold.
        batch = PayoutBatch.objects.select_for_update(no_key=True).select_related("company").get(pk=batch.pk)
        if chunk:
            (chunk.end if last else chunk.renew)()
        current = [result for result in results if result.round == batch.round]
        written = _write(batch, current, now, may_insert=chunk is not None) if current else []
        ended = [(id_, status, value) for id_, status, value in written if status in {"CONFIRMED", "FAILED"}]
        if ended:
            paid = sum(value for _, status, value in ended if status == "CONFIRMED")
            reserve.set_to(batch, batch.reserved - sum(value for _, _, value in ended), paid)
            _book(batch, [id_ for id_, _, _ in ended])
            batch.confirmed += sum(status == "CONFIRMED" for _, status, _ in ended)
            batch.failed += sum(status == "FAILED" for _, status, _ in ended)
            batch.save(update_fields=["reserved", "hold", "holds", "confirmed", "failed"])
        if last or chunk is None:
            finish(batch, now)
    if chunk:
        chunk.renewed(began)
    return batch


def _write(
    batch: PayoutBatch, results: Sequence[Result], now: datetime, *, may_insert: bool
) -> list[tuple[int, str, int]]:
    """Insert the payments, or change those that were open. Returns (id, status, value) of each that was written."""
    # Array literals for a prepared statement: lists given to the driver would cost more than all else.
    columns = (
        texts([payment_id(batch, result.row.line, result.round) for result in results]),
        integers([result.row.line for result in results]),
        texts([result.row.reference for result in results]),
        integers([result.row.value for result in results]),
        texts([result.row.pix_key for result in results]),
        texts([result.row.comment for result in results]),
        texts([result.status for result in results]),
        texts([result.end_to_end_id for result in results]),
        texts([result.error_code for result in results]),
        texts([result.reason[:200] for result in results]),
        integers([result.is_unknown for result in results]),
    )
    owner = (batch.company_id, batch.pk, batch.round, batch.round_began_at or batch.approved_at, now)
    return statements.fetch(_WRITE, *columns, *owner, may_insert)


def _book(batch: PayoutBatch, payments: list[int]) -> None:
    """Post the confirmed payments and write the events of all."""
    accounts = ledger.accounts(batch.company_id)
    company = batch.company
    shared = contract.event("", company)
    del shared["event"]
    holder = {"name": company.official_name, "taxID": tax_id(company.tax_id)}
    merchant, clearing = accounts[Account.Kind.MERCHANT], accounts[Account.Kind.CLEARING]
    party = json.dumps({"holder": holder})
    statements.execute(_BOOK, payments, merchant, clearing, json.dumps(shared), party)
