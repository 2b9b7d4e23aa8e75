"""`manage.py compare_bank`: compare whole days with the bank."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.forms.models import model_to_dict

from payments.bank.port import BankError
from payments.models import BankDifference
from payments.services.errors import Invalid
from payments.services.reconciliation import bank_days


class Command(BaseCommand):
    help = (
        "Reads whole days of the bank again, books missing Pix, and lists differences. Exits with 1 if there are any."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--day",
            action="append",
            type=date.fromisoformat,
            help="YYYY-MM-DD, may be repeated; default: the days that are due",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, **options: Any) -> None:
        try:
            days = bank_days.run(options["day"])
        except (BankError, Invalid) as error:
            raise CommandError(str(error)) from error
        compared = [day.day for day in days]
        open_ = BankDifference.objects.filter(day__in=compared, status=BankDifference.Status.OPEN).order_by("day", "pk")
        wrong = {row.day for row in open_}
        passed, failed = len(compared) - len(wrong), len(wrong)
        if options["json"]:
            shown = {"days": [model_to_dict(day) for day in days], "differences": [model_to_dict(row) for row in open_]}
            self.stdout.write(json.dumps({"passed": passed, "failed": failed, **shown}, default=str))
        else:
            for day in days:
                self.stdout.write(f"{'FAILED' if day.day in wrong else 'passed'}  {day.day}")
            for row in open_:
                self.stdout.write(self.style.ERROR(f"{row}: {row.bank_value} at the bank, {row.our_value} here"))
            self.stdout.write(f"{passed} passed, {failed} failed")
        if failed:
            sys.exit(1)
