"""Who starts the engines, who shares them, who stops them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis

from tests.liveness import alive, eventually
from tests.woovi.local.embedded.conftest import Engines
from woovi.local import embedded
from woovi.local.embedded.client import wait_gone
from woovi.local.embedded.keeper import LINGER

OUTLASTS = LINGER + 0.5  # seconds: engines without a user would have stopped by then


def database(engines: Engines) -> psycopg.Connection:
    return psycopg.connect(f"host={engines.layout.postgres_socket} user=postgres dbname=woovi", autocommit=True)


def cache(engines: Engines) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(engines.layout.valkey_socket))


def test_first_user_starts_last_user_stops_and_data_stay(both: Engines) -> None:
    first = both.user()
    pids = both.keeper(), both.engine("postgres"), both.engine("valkey")
    with database(both) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
    cache(both).set("kept", 7)

    second = both.user()
    assert (both.keeper(), both.engine("postgres"), both.engine("valkey")) == pids
    first.leave()
    assert not wait_gone(both.layout, OUTLASTS), "the engines stopped under a user"
    second.leave()
    assert wait_gone(both.layout)
    eventually(lambda: not any(map(alive, pids)))
    assert not both.layout.sockets.exists()

    both.user()
    with database(both) as connection:
        assert connection.execute("SELECT value FROM kept").fetchone() == (7,)
    assert cache(both).get("kept") == b"7"


def test_a_killed_user_holds_nothing(valkey: Engines) -> None:
    valkey.user().kill()
    assert wait_gone(valkey.layout)


def test_ctrl_c_of_the_user_that_started_them_leaves_the_other_users_engines(valkey: Engines) -> None:
    first, _second = valkey.user(), valkey.user()
    os.killpg(first.process.pid, signal.SIGINT)
    first.process.communicate(timeout=20)
    assert not wait_gone(valkey.layout, OUTLASTS)
    assert cache(valkey).ping()


def test_a_child_that_was_forked_goes_on_using_them(valkey: Engines) -> None:
    script = "import os, sys\nfrom woovi.local import embedded\nembedded.ensure()\nif os.fork(): os._exit(0)\nsys.stdin.read()\n"
    parent = subprocess.Popen([sys.executable, "-c", script], env=valkey.environment, stdin=subprocess.PIPE)
    assert parent.wait(20) == 0
    assert not wait_gone(valkey.layout, OUTLASTS)
    assert parent.stdin
    parent.stdin.close()
    assert wait_gone(valkey.layout)


def test_two_directories_have_their_own(valkey: Engines, tmp_path: Path) -> None:
    other = Engines(tmp_path / "other")
    try:
        valkey.user()
        other.user()
        cache(valkey).set("whose", "first")
        assert cache(other).get("whose") is None
        assert valkey.keeper() != other.keeper()
    finally:
        other.close()


def test_one_directory_is_the_same_by_any_name(valkey: Engines, tmp_path: Path) -> None:
    valkey.user()
    (tmp_path / "link").symlink_to(valkey.layout.data)
    assert Engines(tmp_path / "link").layout == valkey.layout


def test_a_data_directory_that_is_removed_takes_its_engines_along(valkey: Engines) -> None:
    user = valkey.user()
    cache(valkey).set("kept", 7)
    keeper = valkey.keeper()
    shutil.rmtree(valkey.layout.data)
    eventually(lambda: not alive(keeper))
    user.ask()
    assert cache(valkey).get("kept") is None
    assert not wait_gone(valkey.layout, OUTLASTS), "the user holds the lock of a file that is gone"


def test_the_keeper_holds_no_pipe_of_its_first_user(valkey: Engines) -> None:
    first = valkey.user()
    valkey.user()
    first.leave()  # reads its output until the last writer has closed it
    assert valkey.run()


def test_a_user_that_needs_an_engine_the_others_did_not_start_is_told(valkey: Engines) -> None:
    valkey.user()
    needy = subprocess.run(
        [sys.executable, "-c", "from woovi.local import embedded; embedded.ensure()"],
        env={**valkey.environment, "DATABASE_URL": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert needy.returncode == 1
    assert "were started without postgres" in needy.stderr
    assert "Traceback" not in needy.stderr


ELSEWHERE = {"DATABASE_URL": "postgresql://db/woovi", "REDIS_URL": "redis://cache"}


@pytest.mark.parametrize(
    ("environment", "engines"),
    [
        ({}, ["postgres", "valkey"]),
        ({"REDIS_URL": "embedded://"}, ["postgres", "valkey"]),
        ({"DATABASE_URL": "postgresql://db/woovi"}, ["valkey"]),
        ({"DATABASE_URL_FILE": "/run/secrets/database", "REDIS_URL": "redis://cache"}, []),
        ({**ELSEWHERE, "REDIS_LOCKS_URL": "redis://locks"}, []),
        ({**ELSEWHERE, "REDIS_LOCKS_URL": "embedded://"}, ["valkey"]),
        ({"REDIS_LOCKS_URL": "redis://locks"}, ["postgres", "valkey"]),
    ],
)
def test_which_engines_the_urls_leave(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], engines: list[str]
) -> None:
    for name in list(os.environ):
        if name.startswith(("DATABASE_URL", "REDIS_")):
            monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert embedded.in_use() == engines


def test_with_the_urls_set_nothing_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {**ELSEWHERE, "WOOVI_DATA_DIR": str(tmp_path / "data")}.items():
        monkeypatch.setenv(name, value)
    embedded.ensure()
    assert not (tmp_path / "data").exists()


def test_eventually_fails_when_nothing_happens() -> None:
    with pytest.raises(AssertionError, match="not within"):
        eventually(lambda: False, seconds=0.05)
