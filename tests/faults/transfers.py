"""One of many processes that move money between ten purses: `python -m tests.faults.transfers KIND COUNT COMPANY PK...`

A purse is a fenced row whose balance is read, then written; each move is posted to the ledger's account of the same
number in between. So the ledger, which needs no lock, says what every purse must hold. KIND is "fenced" (in one
transaction or split, by chance), or "unfenced", the control: the lock in Redis alone.

It moves COUNT times and then on until SIGTERM, and prints what happened.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from typing import Any

import django
from django.apps import apps

if not apps.ready:
    django.setup()

from django.db import models

from payments.services import ledger
from payments.services.ledger import Line, Posting
from woovi.locks import FencedModel, Lock, LockNotAvailable, StaleFence, metrics

TIMEOUT, LEASE = 5.0, 0.6  # seconds
LABEL = "storm.purse"


class Purse(FencedModel):
    balance = models.BigIntegerField()

    class Meta:
        app_label = "storm"


def fenced(source: int, target: int, value: int, posting: Posting, *, split: bool) -> None:
    pks, terms = [source, target], {"timeout": TIMEOUT, "lease": LEASE}

    def move(rows: Any) -> None:
        ledger.post(posting)
        rows[source].balance -= value
        rows[source].save()
        rows[target].balance += value
        rows[target].save()

    if split:
        with Purse.objects.lock_rows(pk__in=pks, **terms) as lock, lock.write() as rows:  # type: ignore[arg-type]
            move(rows)
    else:
        with Purse.objects.lock_for_update(pk__in=pks, **terms) as rows:  # type: ignore[arg-type]
            move(rows)


def unfenced(source: int, target: int, value: int, posting: Posting, *, split: bool) -> None:
    with Lock((LABEL, source), (LABEL, target), timeout=TIMEOUT, lease=LEASE):
        was = dict(Purse.objects.filter(pk__in=[source, target]).values_list("pk", "balance"))
        ledger.post(posting)
        Purse.objects.filter(pk=source).update(balance=was[source] - value)
        Purse.objects.filter(pk=target).update(balance=was[target] + value)


class Signals:
    """What the test tells this process."""

    def __init__(self) -> None:
        self.over = self.was_stopped = False
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "over", True))
        signal.signal(signal.SIGCONT, lambda *_: setattr(self, "was_stopped", True))


def main(kind: str, count: int, company: int, pks: list[int]) -> None:
    act, signals = {"fenced": fenced, "unfenced": unfenced}[kind], Signals()
    done = tries = 0
    late = -TIMEOUT  # seconds by which a try took longer than it may, at most, of those during which this process ran
    print("ready", flush=True)
    while done < count or not signals.over:
        tries += 1
        source, target = random.sample(pks, 2)
        value = random.randint(1, 9)
        lines = (Line(source, -value), Line(target, value))
        posting = Posting(company, "transfer", f"{os.getpid()}.{tries}", lines)
        split = random.random() < 0.5
        allowed = TIMEOUT * (2 if split else 1)  # once for the lock, and once for the claim in another transaction
        signals.was_stopped, began = False, time.monotonic()
        try:
            act(source, target, value, posting, split=split)
            done += 1
        except StaleFence:
            print("stale", flush=True)
        except LockNotAvailable:
            pass  # nothing was written, as with a stale fence: the next try is another
        if not signals.was_stopped:
            late = max(late, time.monotonic() - began - allowed)
    print("done", json.dumps({"done": done, "late": late, **metrics.read()[LABEL]}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), [int(pk) for pk in sys.argv[4:]])
