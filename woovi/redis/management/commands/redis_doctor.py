"""Say how each role is served, and what is wrong with it."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from woovi.redis import ROLES
from woovi.redis.diagnosis import Findings, examine


class Command(BaseCommand):
    help = "Ask the server of each role how it is. Ends with 1 where something is wrong, and says what mends it."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, **options: Any) -> None:
        found = [examine(role) for role in ROLES]
        failed = sum(bool(each.problems) for each in found)
        if options["json"]:
            answer = {"passed": len(found) - failed, "failed": failed, "roles": [asdict(each) for each in found]}
            self.stdout.write(json.dumps(answer))
        else:
            for each in found:
                self._print(each)
            self.stdout.write(f"{len(found) - failed} passed, {failed} failed")
        if failed:
            sys.exit(1)

    def _print(self, found: Findings) -> None:
        verdict = self.style.ERROR("FAILED") if found.problems else "passed"
        self.stdout.write(f"{verdict}  {found.role:<9}{found.topology:<11} {found.address}")
        if found.server:
            limit = f" of {found.memory_limit / 2**20:.0f}" if found.memory_limit else ""
            self.stdout.write(
                f"        {found.server} {found.version}, {found.policy}, {found.memory / 2**20:.1f}{limit} MiB, "
                f"round trip {found.round_trip} ms, clock {found.clock:+.3f} s"
            )
        for each in found.problems:
            self.stdout.write(f"        {each.text}\n        mend: {each.mend}")
