"""`manage.py retry_webhooks`: send failed deliveries again, all of them or some."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.progress import track

from payments.management import arguments
from payments.models import WebhookDelivery, WebhookEndpoint
from payments.services.errors import ServiceError
from payments.services.webhooks import deliveries


class Command(BaseCommand):
    help = "Sends failed webhook deliveries again. Those of deleted or inactive endpoints are left."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--company", help="tax id; default: every company")
        parser.add_argument("--endpoint", help="the webhook's id; default: every webhook")
        parser.add_argument("--since", type=_moment, help="only deliveries made then or later (ISO 8601, UTC)")
        parser.add_argument("--until", type=_moment, help="only deliveries made then or before")
        parser.add_argument("--dry-run", action="store_true", help="only count")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, **options: Any) -> None:
        if options["endpoint"] and not WebhookEndpoint.objects.filter(public_id=options["endpoint"]).exists():
            raise CommandError(f"there is no webhook {options['endpoint']}")
        asked = {
            "endpoint__company": arguments.company(options["company"]) if options["company"] else None,
            "endpoint__public_id": options["endpoint"],
            "created_at__gte": options["since"],
            "created_at__lte": options["until"],
        }
        failed = WebhookDelivery.objects.filter(status=WebhookDelivery.Status.FAILED, endpoint__is_active=True)
        failed = failed.filter(**{name: value for name, value in asked.items() if value}).select_related("endpoint")
        found, sent = list(failed.order_by("id")), 0
        if not options["dry_run"]:
            for delivery in track(found, "Sending again", disable=options["json"] or not self.stdout.isatty()):
                sent += self._resend(delivery)
        facts = {"failed": len(found), "sent": sent}
        self.stdout.write(json.dumps(facts) if options["json"] else f"{sent:,} of {len(found):,} are sent again")

    def _resend(self, delivery: WebhookDelivery) -> bool:
        try:
            deliveries.resend(delivery)
        except ServiceError:
            return False  # somebody else has just sent it again
        return True


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text!r} is no ISO 8601 time") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
