"""The Redis that the suites also run on. `python -m tests.redis_server` installs one where none is, for `make test`."""

from __future__ import annotations

import os
import shutil
import sys

from tests import packages

MISSING = "no redis-server here: install Redis (`apt-get install redis-server`), or set REDIS_SERVER to its path"


def find() -> str | None:
    """Path of a redis-server, or None. REDIS_SERVER names another."""
    return shutil.which(os.environ.get("REDIS_SERVER") or "redis-server")


def install() -> bool:
    """From the system's packages. Where systemd runs, the package starts a service of its own, which we leave."""
    packages.install("redis-server")
    return find() is not None


if __name__ == "__main__" and not find() and not install():
    sys.exit(f"The tests also run on Redis, and there is {MISSING}.")
