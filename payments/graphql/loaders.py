"""Rows of many parents by one statement: whoever asks in the same turn of the loop is answered together.

Every loader reads rows of the context's company alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from django.db.models import F, QuerySet, Sum, Window
from django.db.models.functions import RowNumber
from strawberry.dataloader import DataLoader

from payments.models import Charge, Company, Payment, PayoutBatch, PayoutProblem, ReceivedPix, Refund
from payments.selectors import charges as select
from payments.services import batches
from payments.services.batches import Progress

Run = Callable[..., Awaitable[Any]]
Children = tuple[int, int]  # the parent's primary key, and how many of its rows


class Loaders:
    """The loaders of one request."""

    def __init__(self, company: Company, run: Run) -> None:
        self.company = company

        def loader(query: Callable[[list[Any]], Sequence[Any]]) -> DataLoader[Any, Any]:
            async def load(keys: list[Any]) -> Sequence[Any]:
                found: Sequence[Any] = await run(query, keys)
                return found

            return DataLoader(load)

        self.charge: DataLoader[int, Charge | None] = loader(self._charges)
        self.refunds: DataLoader[Children, list[Refund]] = loader(self._refunds)
        self.received: DataLoader[Children, list[ReceivedPix]] = loader(self._received)
        self.settled: DataLoader[int, ReceivedPix | None] = loader(self._settled)
        self.pix: DataLoader[int, ReceivedPix | None] = loader(self._pix)
        self.batch: DataLoader[int, PayoutBatch | None] = loader(self._batches)
        self.progress: DataLoader[PayoutBatch, Progress] = loader(batches.progress_of)
        self.failed_total: DataLoader[int, int] = loader(self._failed_totals)
        self.problems: DataLoader[Children, list[PayoutProblem]] = loader(self._problems)

    def _charges(self, ids: list[int]) -> list[Charge | None]:
        return _each(ids, select.with_returned(Charge.objects.filter(company=self.company, pk__in=ids)))

    def _pix(self, ids: list[int]) -> list[ReceivedPix | None]:
        return _each(ids, ReceivedPix.objects.filter(company=self.company, pk__in=ids))

    def _batches(self, ids: list[int]) -> list[PayoutBatch | None]:
        return _each(ids, PayoutBatch.objects.filter(company=self.company, pk__in=ids))

    def _settled(self, charges: list[int]) -> list[ReceivedPix | None]:
        mine = ReceivedPix.objects.filter(company=self.company, charge__in=charges)
        by_charge = {pix.charge_id: pix for pix in mine.filter(outcome=ReceivedPix.Outcome.SETTLED)}
        return [by_charge.get(charge) for charge in charges]

    def _refunds(self, keys: list[Children]) -> list[list[Refund]]:
        return _first_of_each(keys, Refund.objects.filter(company=self.company, automatic=False), "charge_id")

    def _received(self, keys: list[Children]) -> list[list[ReceivedPix]]:
        return _first_of_each(keys, ReceivedPix.objects.filter(company=self.company), "charge_id")

    def _failed_totals(self, ids: list[int]) -> list[int]:
        failed = Payment.objects.filter(batch__company=self.company, batch__in=ids, status=Payment.Status.FAILED)
        of_now = failed.filter(round=F("batch__round")).values_list("batch").annotate(Sum("value"))
        found = dict(of_now)
        return [found.get(each, 0) for each in ids]

    def _problems(self, keys: list[Children]) -> list[list[PayoutProblem]]:
        return _first_of_each(keys, PayoutProblem.objects.filter(batch__company=self.company), "batch_id")


def _each(ids: list[int], rows: Iterable[Any]) -> list[Any]:
    by_id = {row.pk: row for row in rows}
    return [by_id.get(each) for each in ids]


def _first_of_each(keys: list[Children], rows: QuerySet[Any], parent: str) -> list[list[Any]]:
    """The oldest rows of each parent, as many as its key asks for."""
    most = max(count for _, count in keys)
    place = Window(RowNumber(), partition_by=[F(parent)], order_by="id")
    found: defaultdict[int, list[Any]] = defaultdict(list)
    wanted = rows.filter(**{f"{parent}__in": [pk for pk, _ in keys]}).annotate(place=place).filter(place__lte=most)
    for row in wanted.order_by("id"):
        found[getattr(row, parent)].append(row)
    return [found[pk][:count] for pk, count in keys]
