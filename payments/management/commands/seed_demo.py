"""`manage.py seed_demo`: the demo company and its log-ins. Repeating it changes nothing."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from payments.services.companies import seed_demo


class Command(BaseCommand):
    help = "Creates the demo company with its log-ins, where it does not exist, and shows them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="show one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("there is no demo company in production")
        seeded = seed_demo()
        if options["json"]:
            self.stdout.write(json.dumps(seeded))
            return
        for name, value in seeded.items():
            self.stdout.write(f"{name:<9} {value}")
