"""What `manage.py up` runs, and how it tells a person and a program where things are."""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from woovi.local.supervisor import Child

ALONE = ("--without-gossip", "--without-mingle", "--without-heartbeat")  # woovi/celery.py says why


@dataclass(frozen=True)
class Urls:
    """Addresses of the running platform."""

    web: str
    bank: str

    @property
    def admin(self) -> str:
        return f"{self.web}/admin/"

    @property
    def docs(self) -> str:
        return f"{self.web}/api/docs"


def table(listener: socket.socket, bank: socket.socket | None, urls: Urls) -> list[Child]:
    """The processes of the platform: the web server on `listener`, and where the bank is simulated, it on `bank`."""

    def python(name: str, *arguments: str, inherits: tuple[int, ...] = ()) -> Child:
        return Child(name, [sys.executable, *arguments], environment, inherits)

    environment = {
        "PORT": str(listener.getsockname()[1]),
        "PUBLIC_URL": urls.web,
        "BANK_URL": urls.bank,
        "WOOVI_DATA_DIR": str(settings.DATA_DIR),
        "PYTHONUNBUFFERED": "1",
        # Celery's, where we are root: its messages are JSON, and the engines and the demo are this machine's own.
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
    }
    worker = ("-m", "celery", "--app", "woovi", "--quiet", "worker", "--loglevel", "WARNING", *ALONE)
    children = [
        python("web", "-m", "woovi.http.serve", str(listener.fileno()), inherits=(listener.fileno(),)),
        python("worker", *worker, "--queues", "webhooks", "--hostname", "webhooks@%h"),
        python("bank-worker", *worker, "--queues", "bank", "--concurrency", "4", "--hostname", "bank@%h"),
        python("pix-worker", *worker, "--queues", "payments", "--concurrency", "8", "--hostname", "payments@%h"),
        python("batch-worker", *worker, "--queues", "batches", "--concurrency", "3", "--hostname", "batches@%h"),
        python("relay", "manage.py", "relay"),
    ]
    if bank:
        on = str(bank.fileno())
        children.append(python("bank", "-m", settings.BANK_SIMULATOR, "--fd", on, inherits=(bank.fileno(),)))
    return children


def describe(urls: Urls, demo: dict[str, str]) -> dict[str, Any]:
    """`run.json` without its process ids: what a script needs to use the running platform."""
    return {
        "web": urls.web,
        "admin": urls.admin,
        "bank": urls.bank,
        "docs": urls.docs,
        "app_id": demo["app_id"],
        "merchant": {"user": demo["merchant"], "password": demo["password"]},
        "operator": {"user": demo["operator"], "password": demo["password"]},
    }


def welcome(urls: Urls, demo: dict[str, str]) -> str:
    """The block that ends the start-up."""
    return f"""
  Merchant   {urls.web}/   {demo["merchant"]}   {demo["password"]}
  Admin      {urls.admin}   {demo["operator"]}   {demo["password"]}
  API docs   {urls.docs}
  Bank       {urls.bank}/
  AppID      {demo["app_id"]}

  A charge of R$ 10,00:
    curl {urls.web}/api/v1/charge -H 'Authorization: {demo["app_id"]}' \\
      -H 'Content-Type: application/json' -d '{{"correlationID": "first", "value": 1000}}'

  Ctrl-C stops everything.

"""
