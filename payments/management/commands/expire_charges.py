"""`manage.py expire_charges`: expire charges that nobody paid in time, now rather than by the next sweep."""

from __future__ import annotations

from typing import Any

from payments.management.batch_command import BatchCommand
from payments.services.charges import expiring


class Command(BatchCommand):
    help = (
        "Expires charges past their end, as far as the bank's list was read. Exactly those that the sweep would expire."
    )

    def handle(self, **options: Any) -> None:
        due, expired = expiring.due().count(), 0
        if not options["dry_run"]:
            with self.bar("Expiring", due, options) as advance:
                while done := expiring.expire_due():
                    expired += done
                    advance(done)
        self.say(options, {"due": due, "expired": expired}, f"{expired:,} of {due:,} charges have expired")
