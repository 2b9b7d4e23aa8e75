"""A company's statement as a file, piece by piece: CSV for spreadsheets, OFX for accounting programs.

No PDF: the libraries that write one (fpdf2, reportlab) bring Pillow and fonts along, and a browser prints the page into one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from xml.sax.saxutils import escape

from payments.models import Company
from payments.selectors.statement import Period, balance_before, lines
from payments.services.csv_lines import line as csv_line
from payments.services.csv_lines import reais

HEADER = ("time", "id", "kind", "reference", "value", "balance")


def as_csv(company: Company, period: Period) -> Iterator[str]:
    """The movements of the period, values in reais with a point."""
    yield csv_line(HEADER)
    for line in lines(company, period):
        yield csv_line(
            (line.at.isoformat(), line.id, line.kind, line.reference, reais(line.value), reais(line.balance)),
        )


def as_ofx(company: Company, period: Period) -> Iterator[str]:
    """OFX 2.1.1 (Open Financial Exchange), the bank statement alone. Its ids are the ledger's, so a repeat is seen.

    All movements of the days, whatever else the period asks for: a program that reads it adds them up to the balance.
    """
    whole = Period(period.first, period.last)
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<?OFX OFXHEADER="200" VERSION="211" SECURITY="NONE"?>\n'
    yield "<OFX><BANKMSGSRSV1><STMTTRNRS><TRNUID>0</TRNUID><STMTRS><CURDEF>BRL</CURDEF><BANKACCTFROM>"
    yield f"<ACCTID>{escape(company.tax_id)}</ACCTID><ACCTTYPE>CHECKING</ACCTTYPE></BANKACCTFROM><BANKTRANLIST>"
    yield f"<DTSTART>{whole.first:%Y%m%d}</DTSTART><DTEND>{whole.last:%Y%m%d}</DTEND>\n"
    for line in lines(company, whole):
        kind = "CREDIT" if line.value > 0 else "DEBIT"
        yield f"<STMTTRN><TRNTYPE>{kind}</TRNTYPE><DTPOSTED>{line.at:%Y%m%d%H%M%S}[0:UTC]</DTPOSTED>"
        yield f"<TRNAMT>{reais(line.value)}</TRNAMT><FITID>{line.id}</FITID>"
        yield f"<NAME>{escape(line.kind)}</NAME><MEMO>{escape(line.reference)}</MEMO></STMTTRN>\n"
    closing = balance_before(company, whole.last + timedelta(days=1))
    yield f"</BANKTRANLIST><LEDGERBAL><BALAMT>{reais(closing)}</BALAMT><DTASOF>{whole.last:%Y%m%d}</DTASOF></LEDGERBAL>"
    yield "</STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>\n"


FORMATS: dict[str, Callable[[Company, Period], Iterator[str]]] = {"csv": as_csv, "ofx": as_ofx}
