"""Django's cache and Celery on each topology that they work on; where not, refused at the start."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from celery import Celery
from django.core.cache import caches
from django.test import override_settings

from tests.processes import ROOT
from tests.topologies.topologies import Topology
from woovi import redis
from woovi.redis.address import parse
from woovi.redis.derived import kombu_url

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # kombu leaves sockets to the GC


@pytest.fixture(autouse=True)
def _left_sockets_go_here() -> Iterator[None]:
    """And not in a later test, which would be blamed for them."""
    yield
    gc.collect()


WORKING = pytest.mark.parametrize("topology", ["valkey", "redis", "sentinel"], indirect=True)


@WORKING
def test_djangos_cache_goes_through_the_door(topology: Topology) -> None:
    with override_settings(CACHES={"default": redis.django_cache()}):
        cache = caches["default"]
        cache.set("key", {"value": 1}, 10)
        assert cache.get("key") == {"value": 1}
        with topology.primaries()[0].ask() as direct:
            assert direct.keys() == [b"django:1:key"]
    assert next(iter(redis.metrics()["django"].values()))["calls"] >= 2


@WORKING
def test_celery_queues_a_message(topology: Topology) -> None:
    app = Celery("test")
    app.conf.update(**redis.celery_broker(), task_ignore_result=True)
    with app.connection_for_write() as connection:  # one of our own, closed here: Celery's pool would keep it
        app.send_task("anything", connection=connection, retry=False)
    app.close()
    with topology.primaries()[0].ask() as direct:
        assert direct.llen("celery") == 1


@pytest.mark.parametrize("role", ["django", "broker"])
def test_a_cluster_is_refused_at_the_start(role: str) -> None:
    start = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={**os.environ, f"REDIS_{role.upper()}_URL": "redis+cluster://host"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert start.returncode == 1
    [line] = start.stderr.strip().splitlines()
    assert line.startswith(f"REDIS_{role.upper()}_URL: ")
    assert "does not work on a Cluster" in line


@pytest.mark.parametrize(
    ("ours", "kombus"),
    [
        ("unix:///run/valkey.sock?db=3", "redis+socket:///run/valkey.sock?virtual_host=3"),
        ("unix:///run/valkey.sock", "redis+socket:///run/valkey.sock?virtual_host=0"),
        ("unix://user:word@/run/valkey.sock", "redis+socket://user:word@/run/valkey.sock?virtual_host=0"),
        ("redis://:word@host:6379/1", "redis://:word@host:6379/1"),
        ("rediss://host:6379/1", "rediss://host:6379/1?ssl_cert_reqs=required"),
        ("rediss://host/1?ssl_cert_reqs=none", "rediss://host:6379/1?ssl_cert_reqs=none"),
        ("redis+sentinel://:word@a,b:7/primary/1", "sentinel://:word@a:26379/1;sentinel://:word@b:7/1"),
    ],
)
def test_the_brokers_url(ours: str, kombus: str) -> None:
    assert kombu_url(parse("REDIS_BROKER_URL", ours)) == kombus
