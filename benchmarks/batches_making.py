"""What the measures of batches are made of: a company with money, and a file that waits for approval."""

from __future__ import annotations

import io
import itertools
from datetime import UTC, datetime

from payments.bank.port import BankReceived
from payments.management.commands.payout_batch import sample
from payments.models import Company, PayoutBatch, User
from payments.pix import keys
from payments.services import batches, companies
from payments.services.charges import receiving

HEADER = "identificador;chave;valor;descricao\r\n"
_numbers = itertools.count(1)


def company() -> Company:
    """A company with a billion reais."""
    number = next(_numbers)
    name, base = f"bench{number}", f"{9_000 + number:012d}"
    tax_id = base + keys.check_digits(base)  # the directory refuses a payer without one
    made = companies.onboard(official_name=name, trade_name=name, tax_id=tax_id, pix_key=f"{name}@example.com")
    receiving.receive(BankReceived(f"E{made.pk:031d}", "", made.pix_key, 10**11, datetime.now(UTC)))
    return made


def submitted(owner: Company, rows: int) -> tuple[PayoutBatch, User]:
    """A batch that waits for its approval, and who may give it."""
    number = next(_numbers)
    maker, checker = (User.objects.create_user(f"{who}{number}@example.com", company=owner) for who in "mc")
    text = HEADER + "".join(sample(rows)).replace("pagamento-", f"{number}-")
    return batches.submit(batches.upload(owner, maker, "bench.csv", io.BytesIO(text.encode()))), checker
