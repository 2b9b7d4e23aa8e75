"""Where the engines of one data directory keep their files and sockets, and which engines are embedded."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[3]
# The roles of `woovi.redis`. The embedded Valkey runs as long as one of them has no URL of its own.
REDIS_ROLES = ("cache", "locks", "limits", "broker", "channels", "django")


@dataclass(frozen=True)
class Layout:
    """Paths of one data directory.

    Sockets lie in a short folder, because a unix socket's path may have 107 bytes and a clone's path may be longer.
    It is in /tmp and not in TMPDIR: two terminals with different ones must find the same sockets.
    """

    data: Path
    sockets: Path

    @classmethod
    def current(cls) -> Layout:
        return cls.of(Path(os.environ.get("WOOVI_DATA_DIR") or ROOT / ".data"))

    @classmethod
    def of(cls, data: Path) -> Layout:
        data = data.resolve()
        digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
        return cls(data, Path("/tmp") / f"woovi-{digest}")  # noqa: S108 (make_sockets refuses another's)

    def make_sockets(self) -> None:
        """Make the sockets' folder. /tmp is everybody's: one that somebody else made, or may write to, is refused.

        Raises:
            PermissionError: whose message says what to do.
        """
        try:
            self.sockets.mkdir(mode=0o711)
        except FileExistsError:
            found = self.sockets.lstat()
            mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022
            if not mine:
                raise PermissionError(
                    f"{self.sockets} is not a folder that only this user may write to: remove it, "
                    "or set WOOVI_DATA_DIR to another folder"
                ) from None

    @property
    def postgres_data(self) -> Path:
        return self.data / "postgres"

    @property
    def postgres_socket(self) -> Path:
        return self.sockets / "postgres"

    @property
    def valkey_data(self) -> Path:
        return self.data / "valkey"

    @property
    def valkey_socket(self) -> Path:
        return self.sockets / "valkey.sock"

    @property
    def users_lock(self) -> Path:
        """Held shared by every user of the engines, and exclusively by the keeper while it stops them."""
        return self.data / "users.lock"

    @property
    def start_lock(self) -> Path:
        """Held by the user that looks for the keeper and starts it."""
        return self.data / "start.lock"

    @property
    def keeper_lock(self) -> Path:
        """Held by the keeper as long as it lives. Its text is its process id and its engines' names."""
        return self.data / "keeper.lock"

    def engine_lock(self, name: str) -> Path:
        """Held by an engine and its children as long as one lives. Its text is the process id of the engine."""
        return self.data / f"{name}.lock"

    @property
    def log(self) -> Path:
        return self.data / "engines.log"


def in_place(path: Path, file: IO[str]) -> bool:
    """Whether the open file is still the one at `path`, and nobody removed the data directory under us."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def data_dir() -> Path:
    """The data directory: WOOVI_DATA_DIR, or `.data` in the project's folder wherever a command is given."""
    return Layout.current().data


def in_use() -> list[str]:
    """Names of the engines that must be embedded because a URL is not set. In production none: the settings refuse."""
    if os.environ.get("WOOVI_ENV") == "production":
        return []
    engines = []
    if not _set("DATABASE_URL"):
        engines.append("postgres")
    everywhere = _set("REDIS_URL") or "embedded://"
    if any((_set(f"REDIS_{role.upper()}_URL") or everywhere) == "embedded://" for role in REDIS_ROLES):
        engines.append("valkey")
    return engines


def _set(name: str) -> str:
    return os.environ.get(name) or os.environ.get(f"{name}_FILE", "")


def database_url(name: str = "woovi", layout: Layout | None = None) -> str:
    """URL of the embedded PostgreSQL's database `name`, on its unix socket."""
    layout = layout or Layout.current()
    return f"postgresql://postgres@/{name}?host={quote(str(layout.postgres_socket))}"


def redis_url(number: int = 0) -> str:
    """URL of the embedded Valkey's database `number`, on its unix socket."""
    return f"unix://{Layout.current().valkey_socket}?db={number}"
