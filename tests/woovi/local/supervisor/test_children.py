"""Child processes: started again, ended with all that they started, ended also when the supervisor is killed."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.liveness import alive, eventually
from woovi.local.supervisor import Child, Log, Supervisor, children

STUBBORN = "trap '' TERM; sleep 60 & echo grandchild $!; while :; do wait; done"
Make = Callable[..., Supervisor]


@pytest.fixture
def output() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def make(tmp_path: Path, output: io.StringIO) -> Iterator[Make]:
    made: list[Supervisor] = []
    with (tmp_path / "lock").open("w") as lock:

        def supervisor(*table: Child) -> Supervisor:
            log = Log(output, [child.name for child in table])
            made.append(Supervisor(table, log, lambda pids: None, tmp_path / "mark", lock))
            return made[-1]

        yield supervisor
        for each in made:
            each.stop()


def ticking(supervisor: Supervisor, condition: Callable[[], object]) -> Callable[[], object]:
    def run() -> object:
        supervisor.tick()
        return condition()

    return run


def test_a_child_that_is_killed_is_started_again_and_that_is_said(make: Make, output: io.StringIO) -> None:
    supervisor = make(Child("web", ["sleep", "60"]))
    supervisor.tick()
    first = supervisor.pids["web"]
    os.kill(first, signal.SIGKILL)
    eventually(ticking(supervisor, lambda: supervisor.pids.get("web", first) != first))
    assert output.getvalue() == "web | was ended by SIGKILL; it is started again in 0.5 s\n"


def test_the_waits_of_one_that_keeps_ending_double(make: Make, output: io.StringIO) -> None:
    supervisor = make(Child("web", ["sh", "-c", "exit 3"]))
    eventually(ticking(supervisor, lambda: "in 2 s" in output.getvalue()))
    assert output.getvalue().splitlines() == [
        f"web | ended with status 3; it is started again in {wait} s" for wait in ("0.5", "1", "2")
    ]


def test_lines_carry_the_name_of_their_process(make: Make, output: io.StringIO) -> None:
    supervisor = make(Child("web", ["echo", "one\ntwo"]), Child("worker", ["printf", "\\377 no end"]))
    eventually(ticking(supervisor, lambda: "no end" in output.getvalue() and "two" in output.getvalue()))
    assert {"web    | one", "web    | two", "worker | \N{REPLACEMENT CHARACTER} no end"} <= set(
        output.getvalue().splitlines()
    )


def test_one_that_does_not_listen_is_killed_with_what_it_started(
    make: Make, output: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "PATIENCE", 0.3)
    supervisor = make(Child("web", ["bash", "-c", STUBBORN]))
    eventually(ticking(supervisor, lambda: "grandchild" in output.getvalue()))
    leader, grandchild = supervisor.pids["web"], int(output.getvalue().split()[-1])
    started = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - started < 30  # the grandchild would take 60
    eventually(lambda: not alive(leader) and not alive(grandchild))


def test_what_a_dead_child_started_does_not_stay(make: Make, output: io.StringIO) -> None:
    supervisor = make(Child("web", ["bash", "-c", "sleep 60 & echo grandchild $!"]))
    eventually(ticking(supervisor, lambda: "ended with status 0" in output.getvalue()))
    grandchild = int(output.getvalue().split("grandchild ")[1].split()[0])
    eventually(lambda: not alive(grandchild))


SUPERVISOR = """
import sys, time
from pathlib import Path
from woovi.local.supervisor import Child, Log, Supervisor, guard
folder = Path(sys.argv[1])
lock = (folder / "lock").open("w")
log = Log(sys.stdout, ["web"])
supervisor = Supervisor([Child("web", ["bash", "-c", sys.argv[2]])], log, lambda pids: None, folder / "mark", lock)
(folder / "mark").touch()
while True:
    supervisor.tick()
    time.sleep(0.05)
"""


def test_a_killed_supervisor_leaves_nothing(tmp_path: Path) -> None:
    """The guard ends the children, kills those that do not listen, and removes the file that says they run."""
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(tmp_path), "sleep 60 & echo grandchild $!; wait"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        grandchild = int(process.stdout.readline().split()[-1])
        eventually((tmp_path / "mark").exists)
        assert alive(grandchild)
        process.kill()
    eventually(lambda: not alive(grandchild))
    eventually(lambda: not (tmp_path / "mark").exists())
