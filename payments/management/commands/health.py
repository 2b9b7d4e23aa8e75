"""`manage.py health`: what the operators' page of health shows, for scripts."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from payments.selectors import health


class Command(BaseCommand):
    help = "Shows what waits, Redis, the bank and the last proof of the books. Exits with 1 if something is wrong."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, **options: Any) -> None:
        found = health.read()
        if options["json"]:
            self.stdout.write(json.dumps(found, ensure_ascii=False))
        else:
            for name in ("work", "queues", "redis", "bank", "ledger"):
                for key, value in found[name].items():
                    self.stdout.write(f"{name:<8} {key:<26} {json.dumps(value, ensure_ascii=False)}")
            self.stdout.write("ok" if found["ok"] else f"WRONG: {', '.join(found['problems'])}")
        if not found["ok"]:
            sys.exit(1)
