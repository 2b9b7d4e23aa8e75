"""`manage.py settle_withdrawals`: send what companies have to their own accounts at other banks, once a day."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from payments.management import arguments
from payments.management.batch_command import BatchCommand
from payments.money import format_reais
from payments.services import withdrawals
from payments.services.errors import ServiceError


class Command(BatchCommand):
    help = (
        "Withdraws each company's balance to its CNPJ or CPF as a Pix key, once a day. A withdrawal that is refused is "
        "named, and tried again by the next run of the day."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--company", action="append", help="tax id, may be repeated; default: every company")

    def handle(self, company: list[str] | None, **options: Any) -> None:
        day = timezone.localdate()
        due = list(withdrawals.due(day, [arguments.company(each).tax_id for each in company] if company else None))
        sent, refused = [], []
        with self.bar("Withdrawing", len(due), options) as advance:
            for owner, value in due:
                row: dict[str, Any] = {"company": owner.public_id, "value": value}
                try:
                    if not options["dry_run"]:
                        row["value"] = withdrawals.settle(owner, value, day).value
                    sent.append(row)
                except ServiceError as error:
                    refused.append({**row, "reason": error.message})
                advance(1)
        total = sum(row["value"] for row in sent)
        words = [f"{len(sent):,} withdrawals, {format_reais(total)}{' would be made' if options['dry_run'] else ''}"]
        words += [f"  refused: {row['company']}, {format_reais(row['value'])}: {row['reason']}" for row in refused]
        facts = {"withdrawals": sent, "total": total, "refused": refused}
        self.say(options, facts, "\n".join(words))
