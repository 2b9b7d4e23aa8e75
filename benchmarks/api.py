"""GET and POST of a charge: our web process beside bare Django with the same statements, script and call to the bank.

Each is one uvicorn process, on the same engines and the same simulated bank. The client's processes share the cores.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from benchmarks.report import Row, medians
from woovi.local import running

CALLERS = 2  # processes, each with one connection
READS, CREATIONS = 600, 200  # requests of a round: more would meet the company's limits
ROUNDS = 5
KNOWN = "bench"  # the charge that is read


def run() -> list[Row]:
    """The rows of the table."""
    data = Path(os.environ["WOOVI_DATA_DIR"])
    with running.started(data, PORT="18300") as system, _bare(data, system["bank"]) as bare:
        httpx.put(f"{system['bank']}/sim/faults", json={"latency_ms": 0, "latency_spread_ms": 0}).raise_for_status()
        web, app_id = urlsplit(system["web"]).netloc, system["app_id"]
        _creations(web, app_id, 1, KNOWN)
        return [
            *_rows("GET charge", 0.8, partial(_reads, web, app_id), partial(_reads, bare, app_id)),
            *_rows("POST charge", 0.7, partial(_all_creations, web, app_id), partial(_all_creations, bare, app_id)),
        ]


def _rows(name: str, least: float, ours: partial[list[float]], floor: partial[list[float]]) -> list[Row]:
    """Requests a second, and the 99th percentile, of interleaved rounds."""
    slow: dict[str, list[float]] = {"ours": [], "floor": []}

    def measured(which: str, act: partial[list[float]]) -> float:
        start = time.perf_counter()
        seen = sorted(act())
        slow[which].append(1000 * seen[int(0.99 * (len(seen) - 1))])
        return len(seen) / (time.perf_counter() - start)

    rates = medians(ROUNDS, ours=partial(measured, "ours", ours), floor=partial(measured, "floor", floor))
    what = f"{name}, {CALLERS} connections (floor: bare Django, same statements, script and bank)"
    late = {which: sorted(values)[ROUNDS // 2] for which, values in slow.items()}
    return [
        Row.against_floor(what, "requests/s", rates["ours"], rates["floor"], least),
        Row(f"{name}, p99", "ms", late["ours"], late["floor"]),
    ]


def _reads(address: str, app_id: str) -> list[float]:
    return _spread(partial(_ask, address, app_id, "GET", f"/api/v1/charge/{KNOWN}"), [b""] * READS)


def _all_creations(address: str, app_id: str) -> list[float]:
    return _creations(address, app_id, CREATIONS)


def _creations(address: str, app_id: str, count: int, correlation_id: str = "") -> list[float]:
    names = (correlation_id or uuid.uuid4().hex for _ in range(count))
    bodies = [json.dumps({"correlationID": name, "value": 1000}).encode() for name in names]
    return _spread(partial(_ask, address, app_id, "POST", "/api/v1/charge"), bodies)


def _spread(ask: partial[list[float]], bodies: list[bytes]) -> list[float]:
    with ProcessPoolExecutor(CALLERS) as pool:
        return [each for part in pool.map(ask, [bodies[n::CALLERS] for n in range(CALLERS)]) for each in part]


def _ask(address: str, app_id: str, method: str, path: str, bodies: list[bytes]) -> list[float]:
    """Seconds of each request, one after the other on one connection."""
    connection = http.client.HTTPConnection(address, timeout=30)
    headers, seen = {"Authorization": app_id, "Content-Type": "application/json"}, []
    for body in bodies:
        start = time.perf_counter()
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:200]!r}")
        seen.append(time.perf_counter() - start)
    return seen


@contextmanager
def _bare(data: Path, bank: str) -> Iterator[str]:
    """Bare Django in a uvicorn of its own; its host and port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {
        **os.environ,
        "WOOVI_DATA_DIR": str(data),
        "DJANGO_SETTINGS_MODULE": "benchmarks.bare_settings",
        "BANK_URL": bank,
    }
    command = [sys.executable, "-m", "uvicorn", "benchmarks.bare_api:application", "--port", str(port)]
    process = subprocess.Popen([*command, "--log-level", "warning", "--no-access-log"], env=env)
    try:
        _wait(port, process)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
