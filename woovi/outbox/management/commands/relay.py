"""`manage.py relay`: carries outbox events until it is stopped. Run as many as you like."""

from __future__ import annotations

import signal
from typing import Any

from django.core.management.base import BaseCommand

from woovi.outbox.relay import Relay


class Command(BaseCommand):
    help = "Carries outbox events to the queue, the webhooks and the live pages."
    requires_system_checks: list[str] = []  # they load every URL: `manage.py check` is the deployment's step

    def handle(self, *args: Any, **options: Any) -> None:
        relay = Relay.configured()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, relay.stop)
        self.stdout.write("relay: waiting for events")
        relay.run()
        self.stdout.write("relay: stopped")
