"""Locks: the price where nobody waits, the order and speed where many do, PostgreSQL's own locks on one hot row, and a
bank that is asked while the row is held, which is what these locks are for.

Python's peers run in the same rounds as ours, on the same server and through the same kind of connection; Node's run
once, in a process of their own, in between.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
import redis as redis_py
from django.db import connection, models, transaction
from django.db.models import F

from benchmarks import peers
from benchmarks.report import Row, medians
from woovi import redis
from woovi.local.embedded.layout import Layout
from woovi.locks import FencedModel, Lock

TURNS, CALLS = 60, 25
THREADS, PROCESSES, SECTIONS = 16, 8, 50
SECONDS = 1.5
REQUESTS, ROWS, CONNECTIONS, BANK = 200, 50, 20, 0.05  # BANK: seconds
FLEET = 4  # processes, which share the connections
Taking = Callable[[], contextlib.AbstractContextManager[Any]]
A, B = ("bench.row", 1), ("bench.row", 2)

ACQUIRE = "return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0"
RELEASE = "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0"


class HotRow(FencedModel):
    balance = models.BigIntegerField(default=0)

    class Meta:
        app_label, db_table = "benchmarks", "bench_hot_row"


def run() -> list[Row]:
    with contextlib.suppress(subprocess.CalledProcessError, ImportError):
        peers.python("python-redis-lock==4.0.1", "pottery==3.0.1", "mmh3==5.3.1")
    node = _node()
    return [*_uncontended(node), *_contended(node), *_hot_row(), *_bank_call()]


# ── nobody waits ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _uncontended(node: dict[str, dict[str, float]]) -> list[Row]:
    client = _plain()
    acquire, release = client.script_load(ACQUIRE), client.script_load(RELEASE)

    def floor() -> None:
        client.evalsha(acquire, 1, "bench:floor", "me", 10_000)
        client.evalsha(release, 1, "bench:floor", "me")

    def pair(make: Taking) -> Callable[[], None]:
        def both() -> None:
            with make():
                pass

        return both

    measures = {"floor": floor, "ours": pair(lambda: Lock(A)), "two": pair(lambda: Lock(A, B))}
    measures |= {name: pair(make) for name, make in _peers(client).items()}
    seen = _microseconds(measures)
    others = {name: seen[name] for name in seen if name not in ("floor", "ours", "two")}
    others |= {name: figures["one"] for name, figures in node.items()}
    ours, two, least = seen["ours"], seen["two"], seen["floor"]
    figure = "acquire + release where nobody waits, p50 (floor: two raw EVALSHA)"
    twice = {f"{name}, 2 rows": figures["two"] for name, figures in node.items()}
    return [
        Row(figure, "us", ours, least, others, "at most 1.15 of the floor", ours <= 1.15 * least),
        Row("two rows at once, p50 (floor: our one row)", "us", two, ours, twice, "at most 1.15", two <= 1.15 * ours),
    ]


def _microseconds(measures: dict[str, Callable[[], None]]) -> dict[str, float]:
    """The p50 of each, in short turns: a noisy moment meets all of them."""
    seen: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(TURNS):
        for name, act in measures.items():
            for _ in range(CALLS):
                began = time.perf_counter()
                act()
                seen[name].append(time.perf_counter() - began)
    return {name: median(values) * 1e6 for name, values in seen.items()}


# ── many wait ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _contended(node: dict[str, dict[str, float]]) -> list[Row]:
    rows = []
    for crowd, count in ((_threads, THREADS), (_processes, PROCESSES)):
        bound = threading.Lock() if crowd is _threads else multiprocessing.get_context("fork").Lock()
        names = {"bound": lambda bound=bound: bound, "ours": lambda: Lock(A, timeout=30)}
        seen: dict[str, list[tuple[float, float]]] = {}
        for _ in range(3):
            for name in [*names, *_peers(_plain())]:
                seen.setdefault(name, []).append(crowd(count, name, names.get(name)))
        rate = {name: median(r for r, _ in values) for name, values in seen.items()}
        p99 = {name: median(w for _, w in values) for name, values in seen.items()}
        others = [name for name in seen if name not in names]
        of_node = node if crowd is _threads else {}
        rates = {n: rate[n] for n in others} | {n: figures["rate"] for n, figures in of_node.items()}
        waits = {n: p99[n] for n in others} | {n: figures["p99"] for n, figures in of_node.items()}
        what = f"{count} {'threads' if crowd is _threads else 'processes'} on one lock, 1 ms of work"
        bound_name = "threading.Lock" if crowd is _threads else "multiprocessing.Lock"
        ours, best = rate["ours"], max(rates.values())
        goal, met = "at least 0.85 of the floor, and the best peer's", ours >= max(0.85 * rate["bound"], best)
        rows.append(Row(f"{what} (floor: {bound_name})", "sections/s", ours, rate["bound"], rates, goal, met))
        goal, met = "at most half of python-redis-lock's", p99["ours"] <= waits.get("python-redis-lock", 0) / 2
        rows.append(Row(f"{what}, p99 wait", "ms", p99["ours"], p99["bound"], waits, goal, met))
    return rows


def _threads(count: int, name: str, take: Taking | None) -> tuple[float, float]:
    take = take or _peers(_plain())[name]
    waits: list[float] = []
    barrier = threading.Barrier(count + 1)
    crowd = [threading.Thread(target=_work, args=(take, barrier, waits)) for _ in range(count)]
    for thread in crowd:
        thread.start()
    barrier.wait()
    began = time.perf_counter()
    for thread in crowd:
        thread.join()
    return _figures(count, time.perf_counter() - began, waits)


def _processes(count: int, name: str, take: Taking | None) -> tuple[float, float]:
    context = multiprocessing.get_context("fork")
    barrier, waits = context.Barrier(count + 1), context.SimpleQueue()

    def child() -> None:
        mine: list[float] = []
        _work(take or _peers(_plain())[name], barrier, mine)
        waits.put(mine)

    crowd = [context.Process(target=child) for _ in range(count)]
    for process in crowd:
        process.start()
    barrier.wait()
    began = time.perf_counter()
    seen = [wait for _ in crowd for wait in waits.get()]
    took = time.perf_counter() - began
    for process in crowd:
        process.join()
    return _figures(count, took, seen)


def _work(take: Taking, barrier: Any, waits: list[float]) -> None:
    client = _plain()
    client.ping()
    barrier.wait()
    for _ in range(SECTIONS):
        asked = time.perf_counter()
        with take():
            waits.append(time.perf_counter() - asked)
            client.get("bench:v")
            time.sleep(0.001)
            client.set("bench:v", 1)


def _figures(count: int, took: float, waits: list[float]) -> tuple[float, float]:
    """Sections a second, and the p99 wait in ms."""
    return count * SECTIONS / took, 1000 * sorted(waits)[int(0.99 * (len(waits) - 1))]


# ── one hot row ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _hot_row() -> list[Row]:
    with connection.schema_editor() as editor:
        editor.create_model(HotRow)
    HotRow.objects.create(pk=1, balance=10**9)
    ways = {"ours": _claimed, "conditional UPDATE": _update, "FOR UPDATE": _for_update, "redis-py Lock": _redis_py}
    connection.close()
    connection.close_pool()
    seen = medians(3, **{name: (lambda way=way: _crew(way)) for name, way in ways.items()})
    figure = f"one hot row, {PROCESSES} processes: lock_for_update (floor: FOR UPDATE)"
    return [Row.against_floor(figure, "transactions/s", seen.pop("ours"), seen.pop("FOR UPDATE"), 0.8, **seen)]


def _crew(way: Callable[[], None]) -> float:
    context = multiprocessing.get_context("fork")
    barrier, counts = context.Barrier(PROCESSES), context.SimpleQueue()

    def child() -> None:
        connection.ensure_connection()
        way()
        barrier.wait()
        ends, done = time.monotonic() + SECONDS, 0
        while time.monotonic() < ends:
            way()
            done += 1
        counts.put(done)
        connection.close()
        connection.close_pool()

    crowd = [context.Process(target=child) for _ in range(PROCESSES)]
    for process in crowd:
        process.start()
    done = sum(counts.get() for _ in crowd)
    for process in crowd:
        process.join()
    return float(done) / SECONDS


def _claimed() -> None:
    with HotRow.objects.lock_for_update(pk=1, timeout=30) as locked:
        locked.row.balance -= 1
        locked.row.save(update_fields=["balance"])


def _update() -> None:
    HotRow.objects.filter(pk=1, balance__gte=1).update(balance=F("balance") - 1)


def _for_update() -> None:
    with transaction.atomic():
        row = HotRow.objects.select_for_update().get(pk=1)
        HotRow.objects.filter(pk=1).update(balance=row.balance - 1)


def _redis_py() -> None:
    with redis.client("locks").lock("bench:hot", timeout=10, sleep=0.001), transaction.atomic():
        row = HotRow.objects.get(pk=1)
        HotRow.objects.filter(pk=1).update(balance=row.balance - 1)


# ── a bank in the middle ─────────────────────────────────────────────────────────────────────────────────────────────


def _bank_call() -> list[Row]:
    """REQUESTS at once, over ROWS rows, in threads that share the pools' connections: how many a second get through."""
    HotRow.objects.all().delete()
    HotRow.objects.bulk_create(HotRow(pk=pk, balance=10**9) for pk in range(1, ROWS + 1))
    connection.close()
    connection.close_pool()
    seen: dict[str, list[tuple[float, int]]] = {}
    for _ in range(3):
        for name, way in {"lock_rows": _split, "FOR UPDATE": _across}.items():
            seen.setdefault(name, []).append(_requests(way))
    rate = {name: median(r for r, _ in values) for name, values in seen.items()}
    stuck = {name: median(w for _, w in values) for name, values in seen.items()}
    what = f"{REQUESTS} requests, {ROWS} rows, {CONNECTIONS} connections, a bank call of {BANK * 1000:.0f} ms in each"
    ours, floor = rate["lock_rows"], rate["FOR UPDATE"]
    figure = f"{what} (floor: FOR UPDATE held across it)"
    return [
        Row(figure, "requests/s", ours, floor, {}, "at least 3 times the floor", ours >= 3 * floor),
        Row("the same: connections that wait for a row, at most", "", stuck["lock_rows"], stuck["FOR UPDATE"], {}, "none",
            stuck["lock_rows"] == 0),
    ]  # fmt: skip


def _split(pk: int) -> None:
    with HotRow.objects.lock_rows(pk=pk, timeout=30) as lock:
        connection.close()  # as every call to a bank does first
        time.sleep(BANK)
        with lock.write() as rows:
            rows.row.balance -= 1
            rows.row.save(update_fields=["balance"])


def _across(pk: int) -> None:
    with transaction.atomic():
        row = HotRow.objects.select_for_update().get(pk=pk)
        time.sleep(BANK)
        HotRow.objects.filter(pk=pk).update(balance=row.balance - 1)


def _requests(way: Callable[[int], None]) -> tuple[float, int]:
    """Requests a second, and how many connections waited for a row's lock at the worst moment."""
    context = multiprocessing.get_context("fork")
    pks = [1 + number % ROWS for number in range(REQUESTS)]
    random.Random(1).shuffle(pks)
    barrier = context.Barrier(REQUESTS + 1)

    def request(pk: int) -> None:
        barrier.wait()
        try:
            way(pk)
        finally:
            connection.close()

    def child(mine: list[int]) -> None:
        connection.settings_dict["OPTIONS"]["pool"]["max_size"] = CONNECTIONS // FLEET
        crowd = [threading.Thread(target=request, args=[pk]) for pk in mine]
        for thread in crowd:
            thread.start()
        for thread in crowd:
            thread.join()
        connection.close_pool()

    fleet = [context.Process(target=child, args=[pks[number::FLEET]]) for number in range(FLEET)]
    for process in fleet:
        process.start()
    with _watched() as watched:
        barrier.wait()
        began = time.perf_counter()
        for process in fleet:
            process.join()
        took = time.perf_counter() - began
    return REQUESTS / took, max(watched)


@contextlib.contextmanager
def _watched() -> Iterator[list[int]]:
    """How many connections wait for a lock, looked at every few milliseconds from outside of the pool."""
    counts, over = [0], threading.Event()
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"

    def watch() -> None:
        with psycopg.connect(**connection.get_connection_params(), autocommit=True) as session:
            while not over.wait(0.01):
                counts.append(session.execute(waiting).fetchone()[0])

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield counts
    finally:
        over.set()
        thread.join()


# ── peers ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _plain() -> redis_py.Redis:
    return redis_py.Redis(unix_socket_path=str(Layout.current().valkey_socket))


def _peers(client: redis_py.Redis) -> dict[str, Taking]:
    found: dict[str, Taking] = {"redis-py Lock": lambda: client.lock("bench:redis-py", timeout=10)}
    with contextlib.suppress(ImportError):
        import redis_lock

        found["python-redis-lock"] = lambda: redis_lock.Lock(client, "bench:python-redis-lock", expire=10)
    with contextlib.suppress(ImportError):
        from pottery import Redlock

        found["pottery"] = lambda: Redlock(key="bench:pottery", masters={client}, auto_release_time=10)
    return found


def _node() -> dict[str, dict[str, float]]:
    folder = peers.node("ioredis@6.0.0", "redlock@4.2.0", "@sesamecare-oss/redlock@1.4.0")
    if folder is None:
        return {}
    script = str(Path(__file__).with_suffix(".mjs"))
    command = ["node", script, str(folder), str(Layout.current().valkey_socket)]
    found: dict[str, dict[str, float]] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found
