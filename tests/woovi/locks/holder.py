"""A process that holds a row until SIGTERM, and then writes it: `python -m tests.woovi.locks.holder LEASE`."""

from __future__ import annotations

import signal
import sys

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # before there are threads

import django  # noqa: E402

django.setup()

from tests.woovi.locks.models import Account  # noqa: E402
from woovi.locks import StaleFence  # noqa: E402

with Account.objects.lock_rows(pk=9, lease=float(sys.argv[1])) as lock:
    print("held", flush=True)
    signal.sigwait({signal.SIGTERM})
    try:
        with lock.write() as rows:
            rows.row.balance -= 50
            rows.row.save()
        print("written", flush=True)
    except StaleFence:
        print("stale", flush=True)
