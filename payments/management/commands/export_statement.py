"""`manage.py export_statement`: a company's statement as CSV or OFX, line by line."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.progress import track

from payments.management import arguments
from payments.management.arguments import check_days
from payments.selectors.statement import Period
from payments.services.statement_files import FORMATS


class Command(BaseCommand):
    help = "Writes the movements of a company's balance, days in São Paulo's time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("company", help="tax id")
        parser.add_argument("--from", dest="first", type=date.fromisoformat, required=True, help="YYYY-MM-DD")
        parser.add_argument("--to", dest="last", type=date.fromisoformat, required=True, help="YYYY-MM-DD, included")
        parser.add_argument("--format", choices=sorted(FORMATS), default="csv")
        parser.add_argument("--file", type=Path, help="default: standard output")
        parser.add_argument("--json", action="store_true", help="print one JSON object about the file; needs --file")

    def handle(self, company: str, first: date, last: date, file: Path | None, **options: Any) -> None:
        if options["json"] and not file:
            raise CommandError("--json needs --file: the statement itself goes to standard output")
        check_days(first, last)
        pieces = FORMATS[options["format"]](arguments.company(company), Period(first, last))
        if not file:
            for piece in pieces:
                self.stdout.write(piece, ending="")
            return
        try:
            with file.open("w", encoding="utf-8", newline="") as target:
                for piece in track(pieces, "Writing", disable=options["json"] or not self.stdout.isatty()):
                    target.write(piece)
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}") from error
        if options["json"]:
            self.stdout.write(json.dumps({"file": str(file), "bytes": file.stat().st_size}))
