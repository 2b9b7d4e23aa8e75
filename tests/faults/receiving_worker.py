"""A process that books the Pix on its standard input, one JSON a line, and says when each is booked."""

from __future__ import annotations

import json
import sys
from datetime import datetime

import django

django.setup()

from payments.bank.port import BankReceived  # noqa: E402
from payments.services.charges.receiving import receive  # noqa: E402

for line in sys.stdin:
    told = json.loads(line)
    receive(BankReceived(**{**told, "paid_at": datetime.fromisoformat(told["paid_at"]), "returns": ()}))
    print("booked", flush=True)
