"""Where the engines of one data directory keep their files and sockets."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote


@dataclass(frozen=True)
class Layout:
    """Paths of one data directory. Sockets lie in a short folder: a unix socket's path may have 107 bytes."""

    data: Path
    sockets: Path

    @classmethod
    def current(cls) -> Layout:
        data = Path(os.environ.get("WOOVI_DATA_DIR") or ".data").absolute()
        digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:10]
        return cls(data, Path(tempfile.gettempdir()) / f"woovi-{os.getuid()}-{digest}")

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
        return self.data / "users.lock"

    @property
    def keeper_lock(self) -> Path:
        return self.data / "keeper.lock"

    @property
    def log(self) -> Path:
        return self.data / "engines.log"


def in_use() -> list[str]:
    """Names of the engines that must be embedded because their URL is not set."""
    engines = []
    if not os.environ.get("DATABASE_URL"):
        engines.append("postgres")
    if os.environ.get("REDIS_URL", "embedded://") == "embedded://":
        engines.append("valkey")
    return engines


def database_url(name: str = "woovi") -> str:
    """URL of the embedded PostgreSQL's database `name`, on its unix socket."""
    return f"postgresql://postgres@/{name}?host={quote(str(Layout.current().postgres_socket))}"


def redis_url(number: int = 0) -> str:
    """URL of the embedded Valkey's database `number`, on its unix socket."""
    return f"unix://{Layout.current().valkey_socket}?db={number}"
