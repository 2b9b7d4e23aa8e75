"""`manage.py up`: the whole platform on one terminal, with the bank simulator and a demo company."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import IO, Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection

from woovi import env
from woovi.local import embedded
from woovi.local.platform import Urls, describe, table, welcome
from woovi.local.supervisor import Log, Supervisor, listen

# Seconds.
START, TICK, HEAL = 60.0, 0.1, 1.0
ENDING = 15.0  # a killed `up` before this one may still have its children ended
LOCK = "up.lock"
NAME = "up"  # how this process is named in the log


class Command(BaseCommand):
    help = "Migrates, seeds the demo company, and runs web, worker, relay and the bank simulator until Ctrl-C."
    requires_system_checks = "__all__"

    stopping = False
    answering = False

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("`up` is for one machine and a demo; docs/operations.md says how to run in production")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.stop)
        mark = settings.DATA_DIR / "run.json"
        with _only_one(settings.DATA_DIR / LOCK) as lock:
            mark.unlink(missing_ok=True)
            self.run(mark, lock)

    def stop(self, _signal: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def run(self, mark: Path, lock: IO[str]) -> None:
        wanted = env.integer("PORT", 8000, 0, 65_535)
        listener = _listen(env.text("HOST", "127.0.0.1"), wanted)
        port = listener.getsockname()[1]
        bank = None if env.text("BANK_URL", "") else _listen("127.0.0.1", _after(port))
        urls = Urls(
            web=settings.PUBLIC_URL if env.text("PUBLIC_URL", "") else f"http://127.0.0.1:{port}",
            bank=f"http://127.0.0.1:{bank.getsockname()[1]}" if bank else settings.BANK_URL,
        )
        expected = [f"http://127.0.0.1:{port}/healthz", *([urls.bank] if bank else [])]
        children = table(listener, bank, urls)
        log = Log(sys.stdout, [NAME, *(child.name for child in children)])
        if wanted not in {0, port}:
            log.line(NAME, f"port {wanted} is in use: taking {port}")
        demo = _prepare_database()

        def write_mark(pids: dict[str, int]) -> None:
            if self.answering:
                _write_private(mark, {**describe(urls, demo), "pids": {NAME: os.getpid(), **pids}})

        supervisor = Supervisor(children, log, write_mark, mark, lock)
        try:
            self.answering = self.wait_until_answering(supervisor, log, *expected)
            if self.answering:
                write_mark(supervisor.pids)
                log.write(welcome(urls, demo))
                self.watch(supervisor, log, lock)
        finally:
            listener.close()
            if bank:
                bank.close()
            log.line(NAME, "stopping")
            supervisor.stop()
            mark.unlink(missing_ok=True)
            log.line(NAME, "stopped")
            if log.broken:  # nobody reads any more: spare the interpreter from finding out at its exit
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not self.answering and not self.stopping and not log.broken:
            raise CommandError("it did not come up")

    def wait_until_answering(self, supervisor: Supervisor, log: Log, *urls: str) -> bool:
        deadline, missing = time.monotonic() + START, list(urls)
        while missing and not self.stopping and not log.broken:
            if time.monotonic() > deadline:
                log.line(NAME, f"no answer from {' and '.join(missing)} within {START:.0f} s; the lines above say why")
                return False
            supervisor.tick()
            missing = [url for url in missing if not _answers(url)]
            time.sleep(TICK)
        return not missing

    def watch(self, supervisor: Supervisor, log: Log, lock: IO[str]) -> None:
        """Until we are told to stop, nobody reads our lines, or the `make` that started us was killed."""
        parent = os.getppid() if "MAKELEVEL" in os.environ else None
        healed = 0.0
        while not self.stopping and not log.broken and parent in {None, os.getppid()}:
            supervisor.tick()
            if time.monotonic() - healed > HEAL:
                if not embedded.in_place(settings.DATA_DIR / LOCK, lock):
                    log.line(NAME, f"{settings.DATA_DIR} was removed")
                    return
                embedded.ensure()  # a keeper of the engines that was killed is replaced
                healed = time.monotonic()
            time.sleep(TICK)


@contextlib.contextmanager
def _only_one(path: Path) -> Iterator[IO[str]]:
    """Hold the lock of the data directory's one `up`. Its guard holds it too, until the children have ended."""
    with path.open("a+") as lock:
        deadline = time.monotonic() + ENDING
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                lock.seek(0)
                holder = lock.read()
                if _alive(holder) or time.monotonic() > deadline:
                    raise CommandError(f"it runs already for {path.parent} (process {holder or 'unknown'})") from None
                time.sleep(TICK)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield lock


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    return True


def _after(port: int) -> int:
    """Where the search for the bank's port begins: apart from it for every clone, since no two have the same port."""
    return port + 100 if port + 100 < 65_536 else port - 100


def _listen(host: str, port: int) -> socket.socket:
    try:
        return listen(host, port)
    except OSError as error:
        raise CommandError(f"cannot listen on {host}:{port}: {error.strerror}") from error


def _prepare_database() -> dict[str, str]:
    """Migrate and seed the database. Returns the demo's log-ins, as `_demo`."""
    try:
        connection.ensure_connection()
    except OperationalError as error:
        where = connection.settings_dict
        message = f"no database at {where['HOST']}:{where['PORT'] or 5432} (DATABASE_URL): {error}"
        raise CommandError(message) from error
    call_command("migrate", verbosity=0, interactive=False)
    demo = _demo()
    connection.close_pool()  # type: ignore[attr-defined]
    return demo


def _demo() -> dict[str, str]:
    answer = io.StringIO()
    call_command("seed_demo", json=True, stdout=answer)
    demo: dict[str, str] = json.loads(answer.getvalue())
    return demo


def _answers(url: str) -> bool:
    """Whether something answers over HTTP, and not that it is unavailable."""
    try:
        urllib.request.urlopen(url, timeout=2).close()  # noqa: S310 (our own URLs)
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
    return True


def _write_private(path: Path, value: dict[str, Any]) -> None:
    """Write JSON for this user alone, whole or not at all."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(value, indent=2) + "\n")
    fresh.replace(path)
