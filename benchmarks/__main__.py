"""`python -m benchmarks [ROOM|all]`: each room is a module here with `run() -> list[Row]`.

Engines are embedded ones of this run's own, in a temporary folder: a developer's data are never touched.
"""

from __future__ import annotations

import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path

ROOMS = ["api", "batches", "cache", "flow", "ledger", "locks", "ratelimit", "realtime", "web"]


def main() -> None:
    wanted = sys.argv[1] if len(sys.argv) > 1 else "all"
    if wanted != "all" and wanted not in ROOMS:
        sys.exit(f"no room {wanted!r}: one of all, {', '.join(ROOMS)}")
    with tempfile.TemporaryDirectory(prefix="woovi-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)  # PostgreSQL, as its own user, passes through
        os.environ.pop("DATABASE_URL", None)
        os.environ.pop("REDIS_URL", None)
        os.environ |= {"WOOVI_DATA_DIR": folder, "DJANGO_SETTINGS_MODULE": "woovi.settings", "WOOVI_ENV": "test"}
        _prepare()
        for room in ROOMS if wanted == "all" else [wanted]:
            from benchmarks.report import publish

            publish(room, import_module(f"benchmarks.{room}").run())


def _prepare() -> None:
    import django

    from woovi.local import embedded

    embedded.ensure()
    django.setup()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    connection.close()
    connection.close_pool()  # rooms fork their workers, and threads do not survive that


if __name__ == "__main__":
    main()
