"""`manage.py rebuild_queue`: after Redis was lost, queue all work that is due, now rather than by the next sweeps."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from payments.models import Payment, PayoutBatch, Refund, WebhookDelivery
from payments.services import batches
from payments.services.webhooks import deliveries
from woovi import outbox, queue


class Command(BaseCommand):
    help = "Queues webhooks, refunds, payments and batches that are due. May be run at any time, twice, and at the same time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only count")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, **options: Any) -> None:
        found = {
            "webhooks": WebhookDelivery.objects.filter(status=WebhookDelivery.Status.PENDING).count(),
            "refunds": Refund.objects.filter(status=Refund.Status.IN_PROCESSING).count(),
            "payments": Payment.objects.filter(batch=None, status__in=Payment.OPEN).count(),
            "batches": PayoutBatch.objects.filter(status=PayoutBatch.Status.RUNNING).count(),
        }
        if not options["dry_run"]:
            self._queue()
        if options["json"]:
            self.stdout.write(json.dumps({"dry_run": options["dry_run"], **found}))
            return
        for kind, count in found.items():
            self.stdout.write(f"{count:>9,} {kind} open")

    def _queue(self) -> None:
        try:
            queue.send([("check_refunds", {}), ("check_payments", {})])
            batches.sweep()
            while deliveries.sweep():
                pass
        except outbox.Unavailable as error:
            raise CommandError(f"{error}. Nothing is lost: sweeps queue it when Redis is back") from error
