"""Run the simulator: `python -m bank_simulator --port 8100`, or `--fd 5` on a socket that is handed to it."""

from __future__ import annotations

import argparse
import os
import socket

import django
import uvicorn

from woovi.local import embedded


def main() -> None:
    """Parse the arguments, migrate, and serve."""
    parser = argparse.ArgumentParser(prog="bank_simulator")
    parser.add_argument("--host", default="127.0.0.1")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", type=int)
    where.add_argument("--fd", type=int, help="a socket that listens, inherited")
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "bank_simulator.settings"
    embedded.ensure()
    django.setup()
    _migrate()
    config = uvicorn.Config(
        "bank_simulator.asgi:application",
        host=options.host,
        port=options.port or 0,
        lifespan="on",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,  # seconds; do not wait for answers that a fault holds back
    )
    handed = [socket.socket(fileno=options.fd)] if options.fd is not None else None
    host, port = handed[0].getsockname() if handed else (options.host, options.port)
    print(f"Bank simulator on http://{host}:{port}", flush=True)
    uvicorn.Server(config).run(sockets=handed)


def _migrate() -> None:
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection

    # Before the first migration, since Django's record of migrations is in the schema too.
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {settings.SCHEMA}")
    call_command("migrate", verbosity=0)
    connection.close()


if __name__ == "__main__":
    main()
