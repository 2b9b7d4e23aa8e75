"""`manage.py prune`: delete or blank data older than its period. See `docs/operations.md`, "What is forgotten"."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from payments.services import retention


class Command(BaseCommand):
    help = "Deletes or blanks data older than its period (RETAIN_*_DAYS), in batches beside a running system."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only count")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, **options: Any) -> None:
        counts = retention.prune(dry_run=options["dry_run"])
        if options["json"]:
            self.stdout.write(json.dumps({"dry_run": options["dry_run"], **counts}))
            return
        word = "would go" if options["dry_run"] else "gone"
        for kind, number in counts.items():
            self.stdout.write(f"{number:>9,} {kind.replace('_', ' ')} {word}")
