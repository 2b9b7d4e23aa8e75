"""`manage.py warm_cache`: load entries before the first user needs them, after a deployment or when Redis was emptied."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from payments import bank
from payments.selectors import bank_reads  # noqa: F401 (declares caches that are warmed)
from woovi.cache import LoadFailed, readthrough


class Command(BaseCommand):
    help = "Loads the entries that caches declare as `warm`. Exits with 1 if one could not be loaded."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="the answer as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        bank.current()  # creates the cache of its access token
        done: dict[str, int] = {}
        failed: dict[str, str] = {}
        for name, cache in sorted(readthrough.registry.items()):
            try:
                done[name] = cache.warm_up()
            except LoadFailed as error:
                failed[name] = error.reason
        if options["json"]:
            self.stdout.write(json.dumps({"passed": len(done), "failed": len(failed), "warm": done, "errors": failed}))
        else:
            for name, count in done.items():
                self.stdout.write(f"passed  {name}: {count} warm")
            for name, reason in failed.items():
                self.stdout.write(f"failed  {name}: {reason}")
            self.stdout.write(f"{len(done)} passed, {len(failed)} failed")
        bank.disconnect()
        if failed:
            sys.exit(1)
