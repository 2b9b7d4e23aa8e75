"""`manage.py relay`: carries outbox events and queues periodic jobs until it is stopped. Run as many as you like."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from woovi.outbox.relay import Relay
from woovi.queue.periodic import Timetable
from woovi.threads import gives_back


class Command(BaseCommand):
    help = "Carries outbox events to the queue, the webhooks and the live pages, and queues periodic jobs."
    requires_system_checks: list[str] = []  # they load every URL: `manage.py check` is the deployment's step

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-jobs", action="store_true", help="carry events only, queue no periodic jobs")

    def handle(self, *args: Any, no_jobs: bool, **options: Any) -> None:
        relay, timetable = Relay.configured(), Timetable()

        def stop(*_: object) -> None:
            relay.stop()
            timetable.stop()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        # A thread of its own, so that no slow handler of events delays a job.
        jobs = threading.Thread(target=gives_back(timetable.run), name="periodic jobs", daemon=True)
        if not no_jobs:
            jobs.start()
        self.stdout.write("relay: waiting for events")
        relay.run()
        if not no_jobs:
            jobs.join(timeout=5)
        self.stdout.write("relay: stopped")
