"""GET and POST of a charge: our web process beside bare Django with the same statements, script and call to the bank.

Bare Django is served by uvicorn, as ours is, and by gunicorn's sync worker; the floor is the faster of the two. Each is one
process, on the same engines and the same simulated bank. The client's processes share the cores.
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
QUIET = ("--log-level", "warning", "--no-access-log")
ALONE = ("--workers", "1", "--log-level", "warning", "--no-control-socket")


def run() -> list[Row]:
    """The rows of the table."""
    data = Path(os.environ["WOOVI_DATA_DIR"])
    with (
        running.started(data, PORT="18300") as system,
        _bare(data, system["bank"], "uvicorn", "benchmarks.bare_api:application", *QUIET, "--port") as uvicorn,
        _bare(data, system["bank"], "gunicorn", "benchmarks.bare_api:wsgi", *ALONE, "--bind") as gunicorn,
    ):
        httpx.put(f"{system['bank']}/sim/faults", json={"latency_ms": 0, "latency_spread_ms": 0}).raise_for_status()
        web, app_id = urlsplit(system["web"]).netloc, system["app_id"]
        _creations(web, app_id, 1, KNOWN)
        servers = {"ours": web, "uvicorn": uvicorn, "gunicorn": gunicorn}
        return [
            *_rows("GET charge", 0.8, {name: partial(_reads, at, app_id) for name, at in servers.items()}),
            *_rows("POST charge", 0.7, {name: partial(_all_creations, at, app_id) for name, at in servers.items()}),
        ]


def _rows(name: str, least: float, acts: dict[str, partial[list[float]]]) -> list[Row]:
    """Requests a second, and the 99th percentile, of interleaved rounds."""
    slow: dict[str, list[float]] = {which: [] for which in acts}

    def measured(which: str, act: partial[list[float]]) -> float:
        start = time.perf_counter()
        seen = sorted(act())
        slow[which].append(1000 * seen[int(0.99 * (len(seen) - 1))])
        return len(seen) / (time.perf_counter() - start)

    rates = medians(ROUNDS, **{which: partial(measured, which, act) for which, act in acts.items()})
    what = f"{name}, {CALLERS} connections (floor: bare Django, same statements, script and bank, its better server)"
    late = {which: sorted(values)[ROUNDS // 2] for which, values in slow.items()}
    best = max("uvicorn", "gunicorn", key=lambda server: rates[server])
    peers = {f"bare on {server}": rates[server] for server in ("uvicorn", "gunicorn")}
    return [
        Row.against_floor(what, "requests/s", rates["ours"], rates[best], least, **peers),
        Row(f"{name}, p99 (floor: bare Django on {best})", "ms", late["ours"], late[best]),
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
def _bare(data: Path, bank: str, *server: str) -> Iterator[str]:
    """Bare Django in a server of its own, whose command ends with the address; its host and port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {
        **os.environ,
        "WOOVI_DATA_DIR": str(data),
        "DJANGO_SETTINGS_MODULE": "benchmarks.bare_settings",
        "BANK_URL": bank,
    }
    address = f"127.0.0.1:{port}" if server[0] == "gunicorn" else str(port)
    process = subprocess.Popen([sys.executable, "-m", *server, address], env=env)
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
