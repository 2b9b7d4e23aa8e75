"""Transfers between fenced rows while Redis is emptied, frozen, killed and started, and holders are stopped."""

from __future__ import annotations

import re
import signal
import time

import pytest
from django.db import connection
from django.db.models import Sum

from tests.processes import Process
from tests.topologies.topologies import Cluster, Sentinels, Topology
from tests.woovi.locks.models import Account
from woovi import embedded

WORKERS, TRANSFERS = 4, 400


@pytest.fixture
def accounts(tables: None) -> None:
    Account.objects.bulk_create(Account(pk=pk, balance=1000) for pk in range(1, 11))


def test_the_sum_stays_whatever_happens_to_redis_and_to_holders(accounts: None, topology: Topology) -> None:
    url = embedded.database_url(str(connection.settings_dict["NAME"]))
    workers = [Process("-m", "tests.woovi.locks.worker", url, str(TRANSFERS)) for _ in range(WORKERS)]
    try:
        for worker in workers:
            worker.wait_for("ready")
        began = time.monotonic()
        for number, act in enumerate([flush, freeze, restart, flush, fail_over]):
            stopped = workers[number % WORKERS].popen
            stopped.send_signal(signal.SIGSTOP)
            act(topology)
            for_seconds(1.2)  # past the lease of 1 s
            stopped.send_signal(signal.SIGCONT)
        for worker in workers:
            worker.wait_for("done", 90)
        assert Account.objects.aggregate(Sum("balance"))["balance__sum"] == 10_000
        longest = [float(re.findall(r"longest ([\d.]+)", worker.log())[0]) for worker in workers]
        assert max(longest) < 5 + 6, (longest, time.monotonic() - began)  # the time-out, and as long as it was stopped
    finally:
        for worker in workers:
            worker.stop()
            worker.output.close()


def for_seconds(seconds: float) -> None:
    """How long a fault lasts, which is no waiting to be safe."""
    time.sleep(seconds)


def flush(topology: Topology) -> None:
    for server in topology.primaries():
        with server.ask() as client:
            client.flushall()


def freeze(topology: Topology) -> None:
    servers = topology.primaries()
    for server in servers:
        server.freeze()
    for_seconds(2)
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
