"""8 processes move money between 10 rows while Redis is flushed, frozen, killed and failed over, and holders are stopped.

The sum stays, every row is what the ledger says, and nobody waits longer than its time-out. Each process makes as many
transfers as the storm lasts, and STORM_TRANSFERS at least.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection
from redis.exceptions import RedisError

from payments.models import Account
from payments.services import ledger
from payments.services.ledger import Line, Posting
from tests.faults.transfers import LABEL, LEASE, Purse
from tests.payments import making
from tests.processes import Process, wait_until
from tests.topologies.topologies import Cluster, Sentinels, Topology
from woovi.locks.holders import Held, current

WORKERS, PURSES = 8, 10
START = 100_000  # centavos in each purse
# Seconds, for calls to a server that does not answer, and for a machine on which 8 processes and other tests wait for a
# processor: 1.8 were seen where each try took its time-outs. A wait without a bound is longer than this.
SLACK = 5.0

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def purses(transactional_db: None) -> Iterator[list[Purse]]:
    """Ten purses, and the ledger's accounts of the same numbers with the same money."""
    company = making.company()
    kind = Account.Kind.MERCHANT
    accounts = Account.objects.bulk_create(
        Account(company=company, kind=kind, is_default=False, name=f"purse {n}") for n in range(PURSES)
    )
    clearing = ledger.accounts(company.pk)[Account.Kind.CLEARING]
    funds = [Line(clearing, -START * PURSES), *(Line(account.pk, START) for account in accounts)]
    ledger.post(Posting(company.pk, "funds", "start", tuple(funds)))
    with connection.schema_editor() as editor:
        editor.create_model(Purse)
    yield Purse.objects.bulk_create(Purse(pk=account.pk, balance=START) for account in accounts)
    with connection.schema_editor() as editor:
        editor.delete_model(Purse)


@contextlib.contextmanager
def working(kind: str, count: int, purses: list[Purse], topology: Topology) -> Iterator[list[Process]]:
    """Processes that transfer. Only their locks are in the topology: a Cluster serves no other role."""
    company = Account.objects.get(pk=purses[0].pk).company_id
    command = ("-m", "tests.faults.transfers", kind, str(count), str(company), *(str(purse.pk) for purse in purses))
    with contextlib.ExitStack() as stack:
        urls = {"REDIS_URL": "embedded://", "REDIS_LOCKS_URL": topology.url}
        workers = [stack.enter_context(Process(*command, **urls)) for _ in range(WORKERS)]
        for worker in workers:
            worker.wait_for("ready", 60)
        yield workers


def end(workers: list[Process]) -> list[Counter[str]]:
    """Let them come to their end, and say what they did."""
    for worker in workers:
        worker.popen.send_signal(signal.SIGTERM)
    for worker in workers:
        worker.wait_for("done {", 120 if "STORM_TRANSFERS" not in os.environ else 900)
    return [Counter(json.loads(worker.log().split("done ")[1])) for worker in workers]


# ── the storm ────────────────────────────────────────────────────────────────────────────────────────────────────────


def blow(topology: Topology, workers: list[Process]) -> None:
    """Each fault with a holder that is stopped meanwhile, past its lease."""
    for act in (flush, freeze, restart, flush, fail_over):
        with stopped_holder(workers):
            act(topology)
            for_seconds(LEASE * 1.3)
        assert all(worker.popen.poll() is None for worker in workers), [worker.log() for worker in workers]


@contextlib.contextmanager
def stopped_holder(workers: list[Process]) -> Iterator[None]:
    """Stop one of the processes while it holds a lock, for as long as the block lasts."""
    pids = {worker.popen.pid for worker in workers}
    stopped: list[int] = []

    def found() -> bool:
        for held in holders():
            pid = int(held.owner.split("/")[1])
            if pid in pids:
                os.kill(pid, signal.SIGSTOP)
                os.waitpid(pid, os.WUNTRACED)  # it is stopped now
                if held.owner in {each.owner for each in holders()}:
                    stopped.append(pid)
                    return True
                os.kill(pid, signal.SIGCONT)  # it had just given back
        return False

    wait_until(found, 60)
    try:
        yield
    finally:
        os.kill(stopped[0], signal.SIGCONT)


def holders() -> list[Held]:
    try:
        return current(LABEL)
    except (RedisError, OSError):  # not back yet
        return []


def for_seconds(seconds: float) -> None:
    """How long a fault lasts, which is no waiting to be safe."""
    time.sleep(seconds)


def flush(topology: Topology) -> None:
    for server in topology.primaries():
        with server.ask() as client:
            client.flushall()


def freeze(topology: Topology) -> None:
    """With Sentinels another is the primary when it thaws, which it does not know at once: for a moment there are two."""
    servers = topology.primaries()
    for server in servers:
        server.freeze()
    if isinstance(topology, Sentinels):
        wait_until(lambda: topology.primaries()[0] not in servers)
    else:
        for_seconds(LEASE * 2)
    for server in servers:
        server.thaw()


def restart(topology: Topology) -> None:
    for server in topology.primaries():
        server.kill()
    topology.heal()


def fail_over(topology: Topology) -> None:
    if isinstance(topology, Sentinels):
        topology.failover()
    elif isinstance(topology, Cluster):
        topology.servers[0].kill()
        topology.heal()


# ── what it shows ────────────────────────────────────────────────────────────────────────────────────────────────────


def balances() -> tuple[dict[int, int], dict[int, int]]:
    """What the purses hold, and what the ledger says that they hold."""
    purses = dict(Purse.objects.values_list("pk", "balance"))
    return purses, dict(Account.objects.filter(pk__in=purses).values_list("pk", "posted"))


# Not on a Redis: it is one server, as a Valkey is, and what it does with locks tests/woovi/locks shows.
@pytest.mark.parametrize("topology", ["valkey", "sentinel", "cluster"], indirect=True)
def test_no_update_is_lost_and_nobody_waits_longer_than_its_time_out(purses: list[Purse], topology: Topology) -> None:
    transfers = int(os.environ.get("STORM_TRANSFERS", "50"))
    with working("fenced", transfers, purses, topology) as workers:
        blow(topology, workers)
        for _ in range(20):  # until somebody was overtaken between its claim and its write, as most are
            if any("stale" in worker.log() for worker in workers):
                break
            with stopped_holder(workers):
                for_seconds(LEASE * 1.3)
        said = end(workers)
    held, right = balances()
    assert sum(held.values()) == START * PURSES
    assert held == right
    call_command("check_ledger")
    assert all(each["done"] >= transfers for each in said)
    assert max(each["late"] for each in said) < SLACK
    total = sum(said, Counter[str]())
    assert total["stale"], "the storm overtook nobody"
    assert total["fallbacks"], "Redis was never missed"


def test_control_without_the_fence_updates_are_lost(purses: list[Purse], sentinel: Sentinels) -> None:
    """The same storm. Redis alone lets two in; one undoes what the other wrote."""
    with working("unfenced", 1, purses, sentinel) as workers:
        blow(sentinel, workers)
        end(workers)
    held, right = balances()
    assert sum(held.values()) != START * PURSES
    assert held != right
