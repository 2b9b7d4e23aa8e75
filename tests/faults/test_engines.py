"""kill -9 of everything that the embedded engines consist of, and what earlier crashes leave behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from tests.liveness import alive, eventually
from tests.woovi.local.embedded.conftest import Engines, both, valkey  # noqa: F401 (fixtures)
from woovi.local.embedded.engines import Postgres, Valkey
from woovi.local.embedded.keeper import alone


def postgres_answers(engines: Engines) -> bool:
    try:
        with psycopg.connect(f"host={engines.layout.postgres_socket} user=postgres dbname=woovi") as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def valkey_answers(engines: Engines) -> bool:
    try:
        return bool(redis.Redis(unix_socket_path=str(engines.layout.valkey_socket)).ping())
    except redis.RedisError:
        return False


def test_a_killed_keeper_leaves_no_orphan_and_its_users_get_another(both: Engines) -> None:  # noqa: F811
    user = both.user()
    old = both.keeper(), both.engine("postgres"), both.engine("valkey")
    os.kill(old[0], signal.SIGKILL)
    eventually(lambda: not any(map(alive, old)))
    user.ask()
    assert both.keeper() != old[0]
    assert postgres_answers(both)
    assert valkey_answers(both)


def test_a_keeper_killed_while_its_engines_run_on_is_replaced_at_once(both: Engines) -> None:  # noqa: F811
    """The next user does not wait for the old engines to be gone: the next keeper does."""
    user, keeper = both.user(), both.keeper()
    os.kill(keeper, signal.SIGKILL)
    eventually(lambda: not alive(keeper))
    user.ask()
    assert postgres_answers(both)


def test_killed_engines_are_started_again_with_their_data(both: Engines) -> None:  # noqa: F811
    both.user()
    with psycopg.connect(f"host={both.layout.postgres_socket} user=postgres dbname=woovi") as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
    old = both.engine("postgres"), both.engine("valkey")
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: both.engine("postgres") != old[0] and both.engine("valkey") != old[1])
    eventually(lambda: postgres_answers(both) and valkey_answers(both))
    with psycopg.connect(f"host={both.layout.postgres_socket} user=postgres dbname=woovi") as connection:
        assert connection.execute("SELECT value FROM kept").fetchone() == (7,)


@pytest.fixture
def stale(both: Engines) -> Iterator[Engines]:  # noqa: F811
    """A cluster whose pid file names a process of PostgreSQL's user that lives, and is not PostgreSQL."""
    user = both.user()
    pid_file = both.layout.postgres_data / "postmaster.pid"
    kept = pid_file.read_text().splitlines()
    user.leave()
    eventually(lambda: not both.run())
    owner = both.layout.postgres_data.stat()
    with subprocess.Popen(["sleep", "60"], user=owner.st_uid, group=owner.st_gid, cwd="/") as other:
        pid_file.write_text("\n".join([str(other.pid), *kept[1:]]) + "\n")
        pid_file.chmod(0o600)
        os.chown(pid_file, owner.st_uid, owner.st_gid)
        yield both
        other.kill()


def test_a_stale_pid_file_heals(stale: Engines) -> None:
    stale.user()
    assert postgres_answers(stale)


def test_without_the_cleaning_a_stale_pid_file_does_not_heal(stale: Engines) -> None:
    """The negative control."""
    engine = Postgres(stale.layout)
    stale.layout.make_sockets()
    engine.make(engine.sockets)
    try:
        with engine.spawn(engine.command()) as process:
            eventually(lambda: process.poll() is not None or engine.ready())
            status = process.poll()
            process.kill()
        assert status == 1
    finally:
        shutil.rmtree(stale.layout.sockets)


def test_an_engine_that_outlived_its_keeper_is_stopped_first(valkey: Engines) -> None:  # noqa: F811
    """As on a system without parent-death signals."""
    layout = valkey.layout
    layout.data.mkdir()
    layout.make_sockets()
    engine = Valkey(layout)
    engine.prepare()
    with alone(layout.engine_lock("valkey"), engine.stop_signal) as lock:
        left = engine.spawn(engine.command(), lock)
        lock.write(str(left.pid))
    eventually(engine.ready)
    valkey.user()
    assert left.wait(20) == 0
    assert valkey.engine("valkey") != left.pid
    assert valkey_answers(valkey)


def test_a_cluster_half_made_is_made_again(both: Engines) -> None:  # noqa: F811
    half = both.layout.data / "postgres.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    both.user()
    assert postgres_answers(both)


def test_a_folder_that_only_its_owner_may_enter(tmp_path: Path) -> None:
    """PostgreSQL runs as another user when we are root, and must reach its data there all the same."""
    (tmp_path / "private").mkdir(mode=0o700)
    engines = Engines(tmp_path / "private" / "data", postgres=True)
    try:
        engines.user()
        assert postgres_answers(engines)
        assert (tmp_path / "private").stat().st_mode & 0o777 == 0o700
        assert Path(f"/proc/{engines.engine('postgres')}").stat().st_uid != 0
    finally:
        engines.close()
