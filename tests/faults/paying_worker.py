"""A process that sends the payments whose ids are its arguments, and says after each how it stands."""

from __future__ import annotations

import sys

import django

django.setup()

from payments.services import payments  # noqa: E402

for payment_id in sys.argv[1:]:
    print(payments.send(int(payment_id)).status, flush=True)
