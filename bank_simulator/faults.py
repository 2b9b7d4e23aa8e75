"""The faults: the settings, the dice, and an ASGI layer that delays, refuses and drops answers of the API.

The layer is outside Django: there a slow call waits on the event loop and holds no thread, and an answer can be dropped
after Django has committed.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.utils import timezone

from bank_simulator.models import Faults
from bank_simulator.problems import Problem

App = Callable[[Any, Any, Any], Awaitable[None]]

# Paths with faults: the bank's API. Pages, `/sim/pay` and `/sim/faults` have none.
FAULTY = (
    "/oauth/", "/cob", "/pix", "/webhook", "/dict/",
    "/sim/pix", "/sim/balance", "/sim/statement", "/sim/participants", "/sim/account",
)  # fmt: skip

_current: Faults | None = None
_dice = random.Random()  # noqa: S311 (not for secrets)


def current() -> Faults:
    """The faults in force, kept in memory: only one process runs the simulator."""
    global _current
    if _current is None:
        _use(Faults.objects.get_or_create(pk=1)[0])
    assert _current is not None
    return _current


def change(values: dict[str, Any]) -> Faults:
    """Set some of the faults by name, and start the dice again from the seed.

    Raises:
        Problem: an unknown name, or a value that is not a whole number in its range.
    """
    names = {field.name for field in Faults._meta.fields} - {"id"}
    for name, value in values.items():
        if name not in names:
            raise Problem("FalhaInvalida", 400, "there is no such fault", name, value)
        highest = 100 if name.endswith("_percent") else 3600 if name == "timeout_seconds" else 1_000_000_000
        if type(value) is not int or not 0 <= value <= highest:
            raise Problem("FalhaInvalida", 400, f"must be a whole number from 0 to {highest}", name, value)
    row = Faults.objects.get_or_create(pk=1)[0]
    for name, value in values.items():
        setattr(row, name, value)
    row.save()
    _use(row)
    return row


def reset() -> Faults:
    """Set the defaults."""
    return change({field.name: field.default for field in Faults._meta.fields if field.name != "id"})


def as_dict() -> dict[str, int]:
    """The faults in force by name."""
    faults = current()
    return {field.name: getattr(faults, field.name) for field in Faults._meta.fields if field.name != "id"}


def happens(percent: int) -> bool:
    """Throw the dice: true in `percent` of the calls."""
    return percent > 0 and _dice.randrange(100) < percent


def plan_callback(asked: str) -> tuple[datetime, int]:
    """When a callback is sent, and how often.

    Args:
        asked: normal (the faults decide), lost, duplicate or delayed.
    """
    now, faults = timezone.now(), current()
    if asked == "lost" or happens(faults.callback_lost_percent):
        return now, 0
    late = asked == "delayed" or happens(faults.callback_reorder_percent)
    twice = asked == "duplicate" or happens(faults.callback_duplicate_percent)
    return now + _callback_delay() if late else now, 2 if twice else 1


def _callback_delay() -> timedelta:
    """From half of `callback_delay_ms` to all of it."""
    delay = current().callback_delay_ms
    return timedelta(milliseconds=_dice.randint(delay // 2, delay))


def with_faults(app: App) -> App:
    """`app` with the faults in force."""

    async def faulty(scope: Any, receive: Any, send: Any) -> None:
        if not scope["path"].startswith(FAULTY):
            await app(scope, receive, send)
            return
        faults = _current or await sync_to_async(current)()
        spread = min(faults.latency_spread_ms, faults.latency_ms)
        await asyncio.sleep((faults.latency_ms + _dice.randint(-spread, spread)) / 1000)
        if happens(faults.unavailable_percent):
            await _answer(send, Problem("ServicoIndisponivel", 503, "Serviço indisponível: tente mais tarde."))
        elif happens(faults.too_many_percent):
            await _answer(send, Problem("LimiteDeRequisicoes", 429, "Requisições demais: tente mais tarde."))
        elif happens(faults.timeout_percent):
            await app(scope, receive, _drop)
            await _until_gone(receive, faults.timeout_seconds)
            await _answer(send, Problem("IndisponibilidadePorTempoEsgotado", 504, "O tempo da consulta se esgotou."))
        else:
            await app(scope, receive, send)

    return faulty


def _use(row: Faults) -> None:
    global _current
    _current = row
    _dice.seed(row.seed)


async def _drop(message: Any) -> None:
    """Take an answer and send it to nobody."""


async def _until_gone(receive: Any, seconds: int) -> None:
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        pass


async def _answer(send: Any, problem: Problem) -> None:
    body = json.dumps(problem.body()).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    if problem.status in {429, 503}:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
