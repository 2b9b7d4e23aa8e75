"""`manage.py export_statement`: a company's statement as CSV or OFX, line by line."""

from __future__ import annotations

import csv
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple, TextIO
from xml.sax.saxutils import escape

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet, Sum
from django.utils import timezone

from payments.models import Account, Company, Entry


class Line(NamedTuple):
    """A movement of the balance, in centavos, and the balance after it."""

    at: datetime
    id: int
    kind: str
    reference: str
    value: int
    balance: int


class Command(BaseCommand):
    help = "Writes the movements of a company's balance, days in São Paulo's time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("company", help="tax id")
        parser.add_argument("--from", dest="first", type=date.fromisoformat, required=True, help="YYYY-MM-DD")
        parser.add_argument("--to", dest="last", type=date.fromisoformat, required=True, help="YYYY-MM-DD, included")
        parser.add_argument("--format", choices=["csv", "ofx"], default="csv")
        parser.add_argument("--file", type=Path, help="default: standard output")

    def handle(self, company: str, first: date, last: date, file: Path | None, **options: Any) -> None:
        try:
            owner = Company.objects.get(tax_id=company)
        except Company.DoesNotExist:
            raise CommandError(f"there is no company {company}") from None
        write = write_csv if options["format"] == "csv" else write_ofx
        if file:
            with file.open("w", encoding="utf-8", newline="") as target:
                write(target, owner, first, last)
        else:
            write(self.stdout, owner, first, last)  # type: ignore[arg-type]


def lines(company: Company, first: date, last: date) -> Iterator[Line]:
    """The movements of the days, in the order of the ledger, without holds, which move nothing."""
    balance = balance_before(company, first)
    moved = _entries(company).filter(
        transaction__created_at__gte=_midnight(first), transaction__created_at__lt=_midnight(last + timedelta(days=1))
    )
    for entry in moved.select_related("transaction").order_by("id").iterator():
        made, balance = entry.transaction, balance + entry.amount
        yield Line(made.created_at, entry.pk, made.kind, made.correlation_id, entry.amount, balance)


def balance_before(company: Company, day: date) -> int:
    """The balance as the day began, in centavos."""
    before = _entries(company).filter(transaction__created_at__lt=_midnight(day))
    return before.aggregate(sum=Sum("amount"))["sum"] or 0


def _entries(company: Company) -> QuerySet[Entry]:
    account = Account.objects.get(company=company, kind=Account.Kind.MERCHANT, is_default=True)
    return Entry.objects.filter(account=account).exclude(amount=0)


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def write_csv(target: TextIO, company: Company, first: date, last: date) -> None:
    """Write the company's movements from `first` to `last`, both included, as CSV."""
    rows = csv.writer(target)
    rows.writerow(("time", "id", "kind", "reference", "value", "balance"))
    for line in lines(company, first, last):
        rows.writerow(
            (line.at.isoformat(), line.id, line.kind, line.reference, _reais(line.value), _reais(line.balance))
        )


def write_ofx(target: TextIO, company: Company, first: date, last: date) -> None:
    """OFX 2.1.1 (Open Financial Exchange), the bank statement alone. Its ids are the ledger's, so a repeat is seen."""
    target.write('<?xml version="1.0" encoding="UTF-8"?>\n<?OFX OFXHEADER="200" VERSION="211" SECURITY="NONE"?>\n')
    target.write("<OFX><BANKMSGSRSV1><STMTTRNRS><TRNUID>0</TRNUID><STMTRS><CURDEF>BRL</CURDEF><BANKACCTFROM>")
    target.write(f"<ACCTID>{escape(company.tax_id)}</ACCTID><ACCTTYPE>CHECKING</ACCTTYPE></BANKACCTFROM><BANKTRANLIST>")
    target.write(f"<DTSTART>{first:%Y%m%d}</DTSTART><DTEND>{last:%Y%m%d}</DTEND>\n")
    for line in lines(company, first, last):
        kind = "CREDIT" if line.value > 0 else "DEBIT"
        target.write(f"<STMTTRN><TRNTYPE>{kind}</TRNTYPE><DTPOSTED>{line.at:%Y%m%d%H%M%S}[0:UTC]</DTPOSTED>")
        target.write(f"<TRNAMT>{_reais(line.value)}</TRNAMT><FITID>{line.id}</FITID>")
        target.write(f"<NAME>{escape(line.kind)}</NAME><MEMO>{escape(line.reference)}</MEMO></STMTTRN>\n")
    closing = balance_before(company, last + timedelta(days=1))
    target.write(
        f"</BANKTRANLIST><LEDGERBAL><BALAMT>{_reais(closing)}</BALAMT><DTASOF>{last:%Y%m%d}</DTASOF></LEDGERBAL>"
    )
    target.write("</STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>\n")


def _reais(centavos: int) -> str:
    whole, rest = divmod(abs(centavos), 100)
    return f"{'-' if centavos < 0 else ''}{whole}.{rest:02d}"
