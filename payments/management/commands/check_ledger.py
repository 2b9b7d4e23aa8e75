"""`manage.py check_ledger`: prove that the ledger is right."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from payments import checks
from payments.checks import Finding


class Command(BaseCommand):
    help = "Verifies every invariant of the ledger. Names offending rows, and exits with 1 if there are any."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, **options: Any) -> None:
        began = time.monotonic()
        findings = checks.run()
        failed = sum(finding.count > 0 for finding in findings)
        if options["json"]:
            self._print_json(findings, failed, time.monotonic() - began)
        else:
            self._print(findings, failed)
        if failed:
            sys.exit(1)

    def _print_json(self, findings: list[Finding], failed: int, seconds: float) -> None:
        answer = {
            "passed": len(findings) - failed,
            "failed": failed,
            "seconds": round(seconds, 3),
            "checks": [{"name": f.name, "count": f.count, "offenders": f.offenders} for f in findings],
        }
        self.stdout.write(json.dumps(answer, ensure_ascii=False))

    def _print(self, findings: list[Finding], failed: int) -> None:
        for finding in findings:
            if finding.count:
                names = ", ".join(finding.offenders) + (", …" if finding.count > len(finding.offenders) else "")
                self.stdout.write(self.style.ERROR(f"FAILED  {finding.name}: {finding.count} ({names})"))
            else:
                self.stdout.write(f"passed  {finding.name}")
        self.stdout.write(f"{len(findings) - failed} passed, {failed} failed")
