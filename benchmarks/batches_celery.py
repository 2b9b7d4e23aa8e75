"""Plain Celery: a task a row, each one INSERT and one UPDATE of the one account, in a transaction."""

from __future__ import annotations

import os
import threading

import psycopg
from celery import Celery

app = Celery("bench", broker=os.environ["BENCH_BROKER"])
app.conf.update(task_ignore_result=True, worker_hijack_root_logger=False, worker_prefetch_multiplier=50)
_local = threading.local()


@app.task(name="bench.pay")
def pay(id_: str) -> None:
    if not hasattr(_local, "connection"):
        _local.connection = psycopg.connect(os.environ["BENCH_DATABASE"])
    with _local.connection.transaction():
        _local.connection.execute("INSERT INTO bare_payout (id, value) VALUES (%s, %s)", (id_, 100))
        _local.connection.execute("UPDATE bare_payout_account SET posted = posted - %s WHERE id = 1", (100,))
