"""`manage.py listen`: a company's events on a terminal, and as signed webhooks at a developer's own server.

Its position is kept on disk. Events that happen while it, or the server it forwards to, is down are printed and forwarded
in order once both are back.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from payments.services.webhooks.signing import rsa_signature
from realtime.sse import PATH
from woovi.http import outgoing

TIMEOUT = httpx.Timeout(10, read=60)  # seconds; a heartbeat comes every 25
FORWARD_TIMEOUT = 30.0  # seconds
LONGEST = 20.0  # seconds, longest wait before the next try


class Command(BaseCommand):
    help = "Print a company's events, and forward them as signed webhooks."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", default=settings.PUBLIC_URL, help="the platform (default: PUBLIC_URL)")
        parser.add_argument("--app-id", default=os.environ.get("WOOVI_APP_ID", ""), help="default: WOOVI_APP_ID")
        parser.add_argument("--since", type=int, help="begin after this event's number; else where it stopped, or now")
        parser.add_argument("--forward-to", default="", help="URL that gets each public event as a webhook")
        parser.add_argument("--json", action="store_true", help="print whole events, one a line")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["app_id"]:
            raise CommandError("an AppID is needed: --app-id, or WOOVI_APP_ID in the environment")
        cursor = Cursor(options["url"], options["app_id"])
        if options["since"] is not None:
            cursor.move(options["since"])
        tries = 0
        while True:
            try:
                for event in _stream(options["url"], options["app_id"], cursor):
                    tries = 0
                    self._tell(event, options)
                    cursor.move(event["seq"])
            except httpx.TransportError as error:
                self.stderr.write(f"not connected ({type(error).__name__}), trying again")
            _pause(tries)
            tries += 1

    def _tell(self, event: dict[str, Any], options: dict[str, Any]) -> None:
        """Print the event and forward it, however long that takes."""
        line = (
            json.dumps(event, ensure_ascii=False) if options["json"] else "{at}  {seq}  {topic}  {id}".format(**event)
        )
        self.stdout.write(line)
        self.stdout.flush()
        if not options["forward_to"] or "event" not in event["payload"]:  # only a public event has a webhook's body
            return
        body = json.dumps(event["payload"], ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"x-webhook-signature": rsa_signature(body), "X-Webhook-Event-Id": event["id"]}
        tries = 0
        while not (answer := outgoing.post(options["forward_to"], body, headers, FORWARD_TIMEOUT)).accepted:
            self.stderr.write(f"  {event['seq']} not accepted ({answer.error or answer.status_code}), trying again")
            _pause(tries)
            tries += 1
        self.stderr.write(f"  {event['seq']} -> {answer.status_code}")


class Cursor:
    """The number of the last event that was told, in a file of its own for each platform and AppID."""

    def __init__(self, url: str, app_id: str) -> None:
        folder = settings.DATA_DIR / "listen"
        folder.mkdir(parents=True, exist_ok=True)
        self.path: Path = folder / hashlib.sha256(f"{url} {app_id}".encode()).hexdigest()[:16]
        self.at = int(self.path.read_text()) if self.path.exists() else None

    def move(self, seq: int) -> None:
        self.at = seq
        fresh = self.path.with_suffix(".new")
        fresh.write_text(str(seq))
        fresh.replace(self.path)


def _stream(url: str, app_id: str, cursor: Cursor) -> Iterator[dict[str, Any]]:
    """Events after the cursor until the connection ends. Raises httpx.TransportError, and CommandError for good."""
    headers = {"Authorization": app_id, **({} if cursor.at is None else {"Last-Event-ID": str(cursor.at)})}
    with httpx.stream("GET", url + PATH, headers=headers, timeout=TIMEOUT) as response:
        if response.status_code in {400, 401, 404}:
            raise CommandError(f"refused: {response.read().decode()}")
        if response.status_code != 200:
            return
        for line in response.iter_lines():
            if not line.startswith("data: "):
                continue
            frame = json.loads(line[6:])
            if frame["type"] == "reset":
                raise CommandError(
                    f"the log ends at {frame['head']}, before event {cursor.at}: it was begun anew, and what happened "
                    f"in between is not known here. Go on with --since {frame['head']}."
                )
            if frame["type"] == "hello" and cursor.at is None:
                cursor.move(frame["head"])
            if frame["type"] == "event":
                yield frame


def _pause(tries: int) -> None:
    time.sleep(random.uniform(0.1, min(LONGEST, 0.5 * 2 ** min(tries, 10))))  # noqa: S311
