"""Sends callbacks until each is answered with 200, and settles returns and sent Pix when they are due.

The queue is a table, so a restart forgets nothing. One task of one process works it, so rows need no claim.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from datetime import timedelta

import httpx
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connection
from django.db.models import F
from django.utils import timezone

from bank_simulator import outgoing, shapes
from bank_simulator.models import Callback, Webhook

log = logging.getLogger(__name__)

BATCH = 50  # Pix in one call
TICK = 0.25  # seconds between two looks at the table: a retry or a settlement is late by no more
TIMEOUT = 5.0  # seconds for the receiver's answer
SLOWEST = 60.0  # seconds between two attempts at most

_new: asyncio.Event | None = None
_loop: asyncio.AbstractEventLoop | None = None


def send_soon() -> None:
    """Have the sender look for new callbacks at once. Call it after the commit, from any thread."""
    if _loop and _new:
        _loop.call_soon_threadsafe(_new.set)


async def run() -> None:
    """Settle and send, until cancelled."""
    global _new, _loop
    _new, _loop = asyncio.Event(), asyncio.get_running_loop()
    async with httpx.AsyncClient(timeout=TIMEOUT) as client:
        while True:
            try:
                more = await _round(client)
            except Exception:
                log.exception("callbacks")
                more = False
            if not more:
                try:
                    async with asyncio.timeout(TICK):
                        await _new.wait()
                except TimeoutError:
                    pass
            _new.clear()


async def _round(client: httpx.AsyncClient) -> bool:
    """Settle, then send what is due. Returns whether anything was sent."""
    groups = await sync_to_async(_due)()
    await asyncio.gather(*(_send(client, url, rows) for url, rows in groups))
    return bool(groups)


def _due() -> list[tuple[str, list[Callback]]]:
    """Callbacks whose time has come, by receiver, at most BATCH each."""
    try:
        outgoing.settle_due()
        urls = dict(Webhook.objects.values_list("pix_key", "url"))
        rows = (
            Callback.objects.filter(delivered_at=None, due_at__lte=timezone.now(), pix__pix_key__in=urls)
            .select_related("pix")
            .prefetch_related("pix__returns")
            .order_by("due_at", "id")[: BATCH * 4]
        )
        by_url: dict[str, list[Callback]] = defaultdict(list)
        for row in rows:
            by_url[urls[row.pix.pix_key]].append(row)
        return [(url, rows[at : at + BATCH]) for url, rows in by_url.items() for at in range(0, len(rows), BATCH)]
    finally:
        connection.close()


async def _send(client: httpx.AsyncClient, url: str, rows: list[Callback]) -> None:
    try:
        answer = await client.post(
            f"{url}/pix",
            json=shapes.callback(row.pix for row in rows),
            headers={"X-Bank-Callback-Token": settings.BANK_CALLBACK_TOKEN},
        )
        accepted, outcome = answer.status_code == 200, f"HTTP {answer.status_code}"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        accepted, outcome = False, type(error).__name__
    if not accepted:
        log.warning("callback of %d Pix to %s: %s, to be tried again", len(rows), url, outcome)
    await sync_to_async(_record)([row.pk for row in rows], accepted, max(row.attempts for row in rows))


def _record(keys: list[int], accepted: bool, attempts: int) -> None:
    try:
        rows = Callback.objects.filter(pk__in=keys)
        if accepted:
            rows.update(delivered_at=timezone.now(), attempts=F("attempts") + 1)
        else:
            wait = timedelta(seconds=min(0.5 * 2 ** min(attempts, 10), SLOWEST))
            rows.update(due_at=timezone.now() + wait, attempts=F("attempts") + 1)
    finally:
        connection.close()
