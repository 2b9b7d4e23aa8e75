"""`manage.py reconcile`: compare days of the bank's statement with our books, line by line."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from datetime import date, timedelta
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from payments.bank.port import BankError
from payments.management.arguments import check_days
from payments.management.batch_command import BatchCommand
from payments.money import format_reais
from payments.services.errors import Invalid
from payments.services.reconciliation import bank_days, matching
from payments.services.reconciliation.matching import Kind, Match

NAMES = {Kind.MISSING_HERE: "missing_here", Kind.MISSING_AT_BANK: "missing_there", Kind.VALUE: "amount_differs"}


class Command(BatchCommand):
    help = (
        "Says of each day how many lines match, and names those missing here, missing there, or of another amount. "
        "Books what is missing here and can be booked, unless --dry-run. Exits with 1 if there are differences."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--from", dest="first", type=date.fromisoformat, help="YYYY-MM-DD; default: yesterday")
        parser.add_argument("--to", dest="last", type=date.fromisoformat, help="YYYY-MM-DD; default: as --from")

    def handle(self, first: date | None, last: date | None, **options: Any) -> None:
        now = timezone.now()
        first = first or timezone.localdate(now) - timedelta(days=1)
        check_days(first, last or first)
        days = [first + timedelta(days=number) for number in range(((last or first) - first).days + 1)]
        found: dict[date, Match] = {}
        try:
            with self.bar("Comparing", len(days), options) as advance:
                for day in days:
                    if not options["dry_run"]:
                        bank_days.compare(day, now)
                    found[day] = matching.of_day(day, now)
                    advance(1)
        except (BankError, Invalid) as error:
            raise CommandError(str(error)) from error
        shown = [_facts(day, match) for day, match in found.items()]
        differing = sum(len(match.different) for match in found.values())
        self.say(options, {"days": shown, "differences": differing}, "\n".join(map(_line, shown)))
        if differing:
            sys.exit(1)


def _facts(day: date, match: Match) -> dict[str, Any]:
    facts: dict[str, Any] = {"day": f"{day}", "matched": match.same, **{name: [] for name in NAMES.values()}}
    for (kind, id_), (there, here) in match.different.items():
        facts[NAMES[Kind(kind)]].append({"end_to_end_id": id_, "there": there, "here": here})
    return facts


def _line(facts: dict[str, Any]) -> str:
    lines = [f"{facts['day']}: {facts['matched']:,} matched"]
    for name in NAMES.values():
        for row in facts[name]:
            values = f"{format_reais(row['there'])} there, {format_reais(row['here'])} here"
            lines.append(f"  {name.replace('_', ' ')}: {row['end_to_end_id']}, {values}")
    return "\n".join(lines)
