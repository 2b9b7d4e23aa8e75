"""The ledger under processes that race, deadlock and die. Processes, because threads would share one connection pool."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connection

from payments import checks
from payments.models import Entry, LedgerTransaction
from payments.services import ledger
from tests.payments.ledger.conftest import Books
from woovi.local import embedded
from woovi.outbox.models import OutboxEvent

pytestmark = pytest.mark.django_db(transaction=True)
WORKERS = 4

PREAMBLE = """
import atexit, io, os, sys, django
django.setup()
from django.db import DatabaseError
from payments.services import ledger
from payments.services.ledger import *
company, clearing, merchant, fees, suspense, count = map(int, sys.argv[1:])
def move(key, source, target, value, kind="move"):
    return Posting(company, kind, key, (Line(source, -value), Line(target, value)), events=(Event("t", {}),))
for me in range(count):  # forked, because to import all takes longer than the race
    if os.fork() == 0:
        break
else:
    print("ready", flush=True)
    sys.exit(max(os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(count)))
os.read(0, 1)
sys.stdout = io.StringIO()
atexit.register(lambda: os.write(1, sys.stdout.getvalue().encode()))  # in one piece, however Python buffers
"""


def start(books: Books, body: str, count: int) -> subprocess.Popen[str]:
    """A process whose `count` children, numbered by `me`, wait for a byte each to run `body`, which prints its answer."""
    url = embedded.database_url(str(connection.settings_dict["NAME"])) if "postgres" in embedded.in_use() else None
    ids = [books.company.pk, books.clearing, books.merchant, books.fees, books.suspense]
    process = subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + body, *map(str, ids), str(count)], cwd=settings.BASE_DIR, text=True,
        env={**os.environ, **({"DATABASE_URL": url} if url else {})}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def race(books: Books, body: str, count: int = WORKERS) -> list[str]:
    """Run `body` in processes at once. Returns what each printed."""
    process = start(books, body, count)
    answers = process.communicate("g" * count, timeout=60)[0].splitlines()
    assert (process.returncode, len(answers)) == (0, count)
    return answers


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture(autouse=True)
def _ledger_is_right_afterwards() -> Iterator[None]:
    yield
    assert {finding.name: finding.offenders for finding in checks.run() if finding.count} == {}


def test_one_balance_is_spent_exactly_as_often_as_it_lasts(books: Books) -> None:
    ledger.post(books.paid("in", 1000))
    accepted = race(
        books,
        """
done = 0
for n in range(40):
    try:
        ledger.post(move(f"{me}.{n}", merchant, clearing, 7))
        done += 1
    except InsufficientFunds:
        pass
print(done)""",
    )
    assert sum(map(int, accepted)) == 1000 // 7
    assert books.balance() == (1000 % 7, 0)


def test_holds_race_for_one_balance(books: Books) -> None:
    ledger.post(books.paid("in", 100))
    accepted = race(
        books,
        """
done = 0
for n in range(10):
    try:
        ledger.post(ledger.hold(company, f"{me}.{n}", "hold", merchant, 9))
        done += 1
    except InsufficientFunds:
        pass
print(done)""",
    )
    assert sum(map(int, accepted)) == 11
    assert books.balance() == (100, 99)


def test_of_one_key_one_wins_and_the_others_get_its_answer(books: Books) -> None:
    answers = race(
        books,
        """
print(*(f"{p.transaction_id}:{p.replayed}" for n in range(40) for p in ledger.post(move(f"{n}", clearing, merchant, 1))))
""",
    )
    rows = [answer.split() for answer in answers]
    for answer in zip(*rows, strict=True):
        ids, replayed = zip(*(one.split(":") for one in answer), strict=True)
        assert len(set(ids)) == 1
        assert sorted(replayed) == ["False"] + ["True"] * (WORKERS - 1)
    assert books.balance() == (40, 0)
    assert OutboxEvent.objects.count() == 40


def test_of_one_key_with_two_bodies_one_is_refused(books: Books) -> None:
    answers = race(
        books,
        """
done = 0
for n in range(40):
    try:
        ledger.post(move(f"{n}", clearing, merchant, 1 + me))
        done += 1
    except IdempotencyConflict:
        pass
print(done)""",
    )
    assert sum(map(int, answers)) == 40
    assert LedgerTransaction.objects.count() == 40


def test_a_hold_is_resolved_by_one_of_many(books: Books) -> None:
    ledger.post(books.paid("in", 100))
    hold = books.hold("h", 100)
    answers = race(
        books,
        f"""
try:
    ledger.post(ledger.void_hold({hold}, f"v{{me}}", "void") if me % 2
                else ledger.post_hold({hold}, f"p{{me}}", "post", 30, clearing))
    print("won")
except HoldResolved:
    print("lost")""",
    )
    assert sorted(answers) == ["lost"] * (WORKERS - 1) + ["won"]


CROSSING = """
source, target = (merchant, fees) if me % 2 else (fees, merchant)
for n in range(30):
    keys = [f"{k}" for k in range(20)]
    if me % 2:
        keys.reverse()
    pairs = [(source, target), (suspense, source), (target, suspense)]
    if me % 2:
        pairs.reverse()
    # Private keys lock accounts crosswise, shared ones the keys' index.
    ledger.post(*(move(f"{me}.{n}.{k}", *pairs[int(k) % 3], 1) for k in keys),
                *(move(f"{n}.{k}", clearing, merchant, 1, "shared") for k in keys))
print("done")"""


def test_batches_that_cross_do_not_deadlock(books: Books) -> None:
    ledger.post(*(books.paid(f"in{n}", 10_000) for n in range(3)))
    for n, account in enumerate((books.fees, books.suspense)):
        lines = (ledger.Line(books.merchant, -10_000), ledger.Line(account, 10_000))
        ledger.post(ledger.Posting(books.company.pk, "move", f"seed{n}", lines))
    assert race(books, CROSSING) == ["done"] * WORKERS


def test_without_one_order_of_locks_they_do_deadlock(books: Books) -> None:
    """The control: the same two accounts, locked crosswise by hand. Each waits at a barrier for the other's first."""
    answers = race(
        books,
        """
from django.db import connection, transaction
pair = [merchant, fees] if me else [fees, merchant]
lock = "SELECT FROM payments_account WHERE id = %s FOR NO KEY UPDATE"
try:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL deadlock_timeout = '50ms'")
        cursor.execute(lock, [pair[0]])
        cursor.execute("SELECT pg_advisory_lock_shared(%s)", [me])
        other = None
        while not other:
            cursor.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = %s", [1 - me])
            other = cursor.fetchone()
        cursor.execute(lock, [pair[1]])
    print("done")
except DatabaseError as error:
    print(error.__cause__.sqlstate)""",
        count=2,
    )
    assert sorted(answers) == ["40P01", "done"]


@pytest.mark.parametrize("size", [1, 200])
def test_a_process_killed_while_posting_leaves_all_or_nothing(books: Books, size: int) -> None:
    process = start(
        books,
        f"""
for n in range(10**9):
    ledger.post(*(move(f"{{n}}.{{k}}", clearing, merchant, 1) for k in range({size})))""",
        count=1,
    )
    assert process.stdin
    process.stdin.write("g")
    process.stdin.flush()
    deadline = time.monotonic() + 20
    while LedgerTransaction.objects.count() < 5 * size and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=20)
    _wait_until_alone()
    posted = LedgerTransaction.objects.count()
    assert posted >= 5 * size
    assert posted % size == 0
    assert Entry.objects.count() == 2 * posted
    assert OutboxEvent.objects.count() == posted
    assert books.balance() == (posted, 0)


def _wait_until_alone() -> None:
    """Until the server has noticed that the killed client is gone."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(
                """SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'"""
            )
            if cursor.fetchone() == (0,):
                return
    pytest.fail("the killed process's session goes on")
