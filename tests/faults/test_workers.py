"""A real worker of the product's settings: what it leaves alone, how it ends, and how soon it is back after a failover."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from tests.processes import Process, wait_until
from tests.topologies.servers import Server
from tests.topologies.topologies import Sentinels, Standalone, Topology
from woovi import redis
from woovi.celery import LAST_TASKS
from woovi.local.platform import ALONE
from woovi.local.supervisor.guard import PATIENCE

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # kombu leaves sockets to the GC


class Seen:
    """A worker's tasks, and what they noted."""

    def __init__(self, topology: Topology, folder: Path) -> None:
        self.topology, self.file, self.until = topology, folder / "noted", folder / "until"
        self.sender = Celery("sender", set_as_current=False)
        self.sender.conf.update(**redis.celery_broker(), task_ignore_result=True)

    def start(self, **env: str) -> Process:
        """A worker with one thread."""
        command = ("-m", "celery", "-A", "tests.faults.seen_tasks", "worker", "-Q", "webhooks", "-c", "1")
        return Process(*command, *ALONE, "--loglevel", "INFO", REDIS_URL=self.topology.url, **env)

    def worker(self, **env: str) -> Process:
        """One that is ready for tasks."""
        made = self.start(**env)
        try:
            made.wait_for("ready.")
        except BaseException:
            made.__exit__()
            raise
        return made

    def send(self, name: str, *arguments: str, **options: Any) -> str:
        sent = self.sender.send_task(f"tests.{name}", (str(self.file), *arguments), queue="webhooks", **options)
        return str(sent.id)

    def noted(self) -> list[str]:
        return self.file.read_text().split() if self.file.exists() else []

    def hold(self) -> None:
        """Occupy the worker's only thread until `release`."""
        self.send("hold", str(self.until))
        wait_until(lambda: "holds" in self.noted())

    def release(self) -> None:
        self.until.touch()


@pytest.fixture
def seen(valkey: Standalone, tmp_path: Path) -> Iterator[Seen]:
    made = Seen(valkey, tmp_path)
    yield made
    made.sender.close()


def test_a_try_that_waits_for_its_time_comes_in_its_trace_and_holds_no_thread(seen: Seen) -> None:
    with seen.worker():
        seen.send("fail_once", headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"})
        seen.send("note", "meanwhile")
        wait_until(lambda: len(seen.noted()) == 3)
    assert seen.noted() == [f"try0-{TRACE}", "meanwhile", f"try1-{TRACE}"]


@pytest.mark.parametrize("env", [{}, {"FETCH_AHEAD": "1"}], ids=["ours", "Celery's"])
def test_what_expired_or_was_revoked_while_it_waited_is_not_run(seen: Seen, env: dict[str, str]) -> None:
    with seen.worker(**env) as worker:
        seen.hold()
        seen.send("note", "expired", expires=0.5)
        revoked = seen.send("note", "revoked")
        seen.sender.control.revoke(revoked)
        seen.send("note", "last")
        worker.wait_for(f"Tasks flagged as revoked: {revoked}")
        time.sleep(0.6)
        seen.release()
        wait_until(lambda: "last" in seen.noted())
    if env:
        assert "expired" in seen.noted(), "fetched ahead, it was not asked again whether it should run"
    else:
        assert seen.noted() == ["holds", "last"]


def test_its_tasks_know_how_many_threads_it_was_given(seen: Seen) -> None:
    with seen.worker():
        seen.send("threads")
        wait_until(lambda: seen.noted() == ["1"])


def test_told_to_end_it_ends_in_time_and_hides_nothing(seen: Seen) -> None:
    assert LAST_TASKS + 1 < PATIENCE, "before the supervisor kills it"
    with seen.worker() as worker:
        seen.hold()
        seen.send("note", "waited")
        assert worker.stop(signal.SIGTERM) == 0  # else it waits until the task ends, which nobody lets it
        assert "tests.hold" in worker.log().splitlines()[-1]
    with seen.worker():
        wait_until(lambda: "waited" in seen.noted())


@contextlib.contextmanager
def full(server: Server) -> Iterator[None]:
    """The server refuses every further write while the body runs."""
    with server.ask() as direct:
        direct.config_set("maxmemory", 1)
        try:
            yield
        finally:
            direct.config_set("maxmemory", 0)


@pytest.mark.parametrize("topology", ["valkey", "redis"], indirect=True)
def test_a_full_broker_loses_nothing_that_a_worker_takes(topology: Topology, tmp_path: Path) -> None:
    """Celery's own copy of each message that is being worked on would be refused after the message was taken."""
    seen = Seen(topology, tmp_path)
    with seen.worker():
        seen.hold()
        for n in "12345":
            seen.send("note", n)
        with full(topology.servers[0]):
            seen.release()
            wait_until(lambda: seen.noted() == ["holds", *"12345"])
    seen.send("note", "6")
    with full(topology.servers[0]), seen.start() as late:
        wait_until(lambda: late.popen.poll() is not None, 30)  # it may not declare its queues, and is started again
    with seen.worker():
        wait_until(lambda: "6" in seen.noted())
    seen.sender.close()


def test_a_worker_hears_the_new_primary_soon_after_the_old_one_froze(sentinel: Sentinels, tmp_path: Path) -> None:
    seen = Seen(sentinel, tmp_path)
    with seen.worker():
        seen.send("note", "before")
        wait_until(lambda: "before" in seen.noted())
        frozen = sentinel.primary()
        frozen.freeze()
        wait_until(lambda: sentinel.primary() is not frozen and sentinel.role(sentinel.primary()) == "master")
        began = time.monotonic()
        seen.send("note", "after")
        wait_until(lambda: "after" in seen.noted(), 60)
        assert time.monotonic() - began < 20, "under five on an idle machine; with kombu's own health check it is 50"
    seen.sender.close()


def test_a_worker_whose_link_is_dead_and_open_takes_another(proxied: Standalone, tmp_path: Path) -> None:
    before, after = Seen(proxied, tmp_path), Seen(proxied, tmp_path)
    proxy = proxied.servers[0].proxy
    assert proxy
    with before.worker():
        before.send("note", "before")
        wait_until(lambda: "before" in before.noted())
        proxy.silence()
        after.send("note", "after")  # the first sender's own link is dead, too
        wait_until(lambda: "after" in after.noted(), 60)
    before.sender.close()
    after.sender.close()
