"""A process full of readers of one cold entry: `reader FOLDER threads|tasks COUNT LOAD_SECONDS [raise]`.

It says ready, begins when FOLDER/go is there, notes each load in FOLDER/loads, and ends with the waits in FOLDER/<pid>.
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

folder, way, count, seconds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
waits: list[float] = []


def note() -> None:
    with (folder / "loads").open("a") as file:
        file.write(f"{os.getpid()}\n")


def load(id: int) -> str:  # noqa: A002
    note()
    time.sleep(seconds)
    if "raise" in sys.argv:
        raise RuntimeError("the bank is down")
    return "value"


async def aload(id: int) -> str:  # noqa: A002
    note()
    await asyncio.sleep(seconds)
    return "value"


cache = ReadThroughCache(
    "stampede", load if way == "threads" else aload, key=("id",), ttl=60, lease=max(2.0, seconds * 2), failure_pause=30
)


def until_go() -> None:
    print("ready", flush=True)
    while not (folder / "go").exists():
        time.sleep(0.002)


def read(barrier: Any) -> None:
    barrier.wait()
    began = time.monotonic()
    try:
        assert cache.get(id=1) == "value"
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
        assert await cache.aget(id=1) == "value"
        waits.append(time.monotonic() - began)

    until_go()
    await asyncio.gather(*(one() for _ in range(count)))


if way == "threads":
    in_threads()
else:
    asyncio.run(in_tasks())
(folder / str(os.getpid())).write_text(json.dumps(waits))
print("done", flush=True)
