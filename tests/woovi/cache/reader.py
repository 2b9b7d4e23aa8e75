"""Processes full of readers of one entry: `reader FOLDER threads|tasks PROCESSES READERS LEASE [raise|hang|hold]`.

One starts them by forking, so that the platform is imported once. Each says ready, begins when FOLDER/go is there, and ends
with its waits in FOLDER/<pid> and what was read in FOLDER/<pid>.read; their loads are noted in FOLDER/loads. Of loads that `hang` the first
never ends; one that is to `hold` ends once FOLDER/served is there.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import django

django.setup()

from woovi.cache import LoadFailed, ReadThroughCache  # noqa: E402
from woovi.redis import roles  # noqa: E402

folder, way, processes, count, lease = Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:6])
fault = sys.argv[6] if len(sys.argv) > 6 else ""
waits: list[float] = []
seen: list[str] = []

# Two hundred readers and a busy machine: an answer may take longer than a reader's patience of a quarter of a second. It
# would then load by itself, which is right and what test_faults.py shows, and no question here.
roles.POLICIES["cache"] = roles.Policy(timeout=20, connections=50)


def note() -> None:
    first = not (folder / "loads").exists()
    with (folder / "loads").open("a") as file:
        file.write(f"{os.getpid()}\n")
    if fault == "hang" and first:
        time.sleep(60)
    while fault == "hold" and not (folder / "served").exists():
        time.sleep(0.01)


def load(id: int) -> str:  # noqa: A002
    note()
    time.sleep(0.2)
    if fault == "raise":
        raise RuntimeError("the bank is down")
    return "value"


async def aload(id: int) -> str:  # noqa: A002
    note()
    await asyncio.sleep(0.2)
    return "value"


cache = ReadThroughCache(
    "stampede", load if way == "threads" else aload, key=("id",), ttl=60, lease=lease, failure_pause=30, early_refresh=0
)


def until_go() -> None:
    print("ready", flush=True)
    while not (folder / "go").exists():
        time.sleep(0.002)


def read(barrier: Any) -> None:
    barrier.wait()
    began = time.monotonic()
    try:
        seen.append(cache.get(id=1))
    except LoadFailed as error:
        assert "the bank is down" in str(error)  # noqa: PT017
    waits.append(time.monotonic() - began)


def in_threads() -> None:
    barrier = threading.Barrier(count + 1)
    crowd = [threading.Thread(target=read, args=(barrier,)) for _ in range(count)]
    for thread in crowd:
        thread.start()
    until_go()
    barrier.wait()
    for thread in crowd:
        thread.join()


async def in_tasks() -> None:
    async def one() -> None:
        began = time.monotonic()
        seen.append(await cache.aget(id=1))
        waits.append(time.monotonic() - began)

    until_go()
    await asyncio.gather(*(one() for _ in range(count)))


def crowd() -> None:
    if way == "threads":
        in_threads()
    else:
        asyncio.run(in_tasks())
    (folder / f"{os.getpid()}.read").write_text(json.dumps(seen))
    (folder / str(os.getpid())).write_text(json.dumps(waits))


for _ in range(processes):
    if os.fork() == 0:
        crowd()
        sys.exit()  # once what still refreshes has ended
for _ in range(processes):
    os.wait()
print("done", flush=True)
