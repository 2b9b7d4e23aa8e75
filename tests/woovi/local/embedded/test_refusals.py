"""What the embedded engines refuse, and that each refusal is one line that says what to do."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from tests.woovi.local.embedded.conftest import Engines
from woovi.local.embedded import engines, privileges
from woovi.local.embedded.engines import MissingWheel, Postgres, Valkey
from woovi.local.embedded.layout import REDIS_ROLES, Layout
from woovi.redis import ROLES


def refused(environment: dict[str, str]) -> str:
    """The one line that `ensure()` ends a process with."""
    result = subprocess.run(
        [sys.executable, "-c", "from woovi.local import embedded; embedded.ensure()"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


def test_a_socket_folder_that_others_may_write_to_is_refused(valkey: Engines) -> None:
    valkey.layout.sockets.mkdir()
    valkey.layout.sockets.chmod(0o777)
    try:
        assert f"{valkey.layout.sockets} is not a folder that only this user may write to" in refused(
            valkey.environment
        )
        assert valkey.layout.sockets.exists(), "what is not ours was removed"
    finally:
        valkey.layout.sockets.rmdir()


def test_a_link_in_the_socket_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "sockets").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError):
        Layout(tmp_path, tmp_path / "sockets").make_sockets()


def test_a_socket_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout(tmp_path, tmp_path / "sockets")
    layout.make_sockets()
    layout.make_sockets()  # one of ours is taken again
    monkeypatch.setattr(os, "geteuid", lambda: layout.sockets.stat().st_uid + 1)
    with pytest.raises(PermissionError):
        layout.make_sockets()


def test_a_data_directory_that_cannot_be_made(valkey: Engines, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environment = {**valkey.environment, "WOOVI_DATA_DIR": str(tmp_path / "file")}
    assert f"cannot use {tmp_path / 'file'}" in refused(environment)


@pytest.mark.parametrize(("engine", "variable"), [(Postgres, "DATABASE_URL"), (Valkey, "REDIS_URL")])
def test_a_platform_without_the_wheel_names_the_url_to_set(
    engine: type[Postgres] | type[Valkey], variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def not_installed(name: str) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(engines.importlib.util, "find_spec", not_installed)
    with pytest.raises(MissingWheel, match=f"set {variable}$"):
        engine(Layout.of(tmp_path))


def test_root_without_an_unprivileged_user_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def nobody(name: str) -> pwd.struct_passwd:
        raise KeyError(name)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwnam", nobody)
    with pytest.raises(privileges.Unprivileged, match="set DATABASE_URL"):
        privileges.server_user(tmp_path / "data")


def test_the_roles_are_those_of_the_clients() -> None:
    assert set(REDIS_ROLES) == set(ROLES)
