"""Is the platform well? What waits, Redis by role, the bank, and the last proof of the books; and what is wrong of it.

The operators' page and `manage.py health` show the same. Nothing here waits for what hangs: Redis has its time-outs, and
the bank is not asked; its calls of this hour and the last one, by all processes, say how it is.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from redis.exceptions import RedisError

from payments.bank import pace
from payments.bank.session import CALLS
from payments.models import LedgerCheck
from payments.selectors import work
from woovi import redis
from woovi.cache import metrics
from woovi.ratelimit import seen

# The figures of `work` that are a problem above this.
MOST: dict[str, float] = {
    "outbox_oldest_seconds": 60,
    "webhooks_late_seconds": 300,
    "refunds_oldest_seconds": 900,
    "payments_oldest_seconds": 900,
    "chunks_oldest_seconds": 900,
    "payments_unknown": 0,
    "payments_quarantined": 0,
    "payments_contradicted": 0,
    "refunds_contradicted": 0,
    "differences_open": 0,
    "pix_set_aside": 0,
}
QUEUES = {  # the figures of what waits for the workers of each
    "webhooks": ("webhooks_due", "webhooks_late_seconds"),
    "bank": ("refunds_open", "refunds_oldest_seconds"),
    "payments": ("payments_open", "payments_oldest_seconds"),
    "batches": ("chunks_waiting", "chunks_oldest_seconds"),
}
PROVEN_WITHIN = timedelta(hours=26)  # every night, with two hours to spare
BANK_ERRORS = 0.1  # of its calls; above that the bank is a problem
FEWEST_CALLS = 10  # of which that share is told


def read(now: datetime | None = None) -> dict[str, Any]:
    """The facts by name, fit for JSON, with the names of what is wrong as `problems`."""
    now = now or timezone.now()
    figures, roles, bank, ledger = work.read(now), _redis(), _bank(), _ledger(now)
    problems = [name for name, most in MOST.items() if figures[name] > most]
    problems += [f"redis_{role}" for role, found in roles.items() if not found["answers"]]
    problems += ["bank"] if bank["problem"] else []
    problems += ["ledger"] if ledger["problem"] else []
    return {
        "ok": not problems,
        "problems": problems,
        "at": now.isoformat(),
        "work": figures,
        "queues": {
            name: {"waiting": figures[count], "oldest_seconds": figures[age]} for name, (count, age) in QUEUES.items()
        },
        "redis": roles,
        "bank": bank,
        "ledger": ledger,
    }


def _redis() -> dict[str, dict[str, Any]]:
    """Each role: whether it answers, in how many milliseconds, and this process's breakers by server."""
    with ThreadPoolExecutor(len(redis.ROLES)) as pool:  # at once: a frozen Redis takes each role's time-out
        times = dict(zip(redis.ROLES, pool.map(_ping, redis.ROLES), strict=True))
    guards: dict[str, Any] = redis.metrics()
    return {
        role: {
            "answers": times[role] is not None,
            "milliseconds": times[role],
            "breakers": {
                place: "open" if counts["open"] else "closed" for place, counts in guards.get(role, {}).items()
            },
        }
        for role in redis.ROLES
    }


def _ping(role: redis.Role) -> float | None:
    began = time.perf_counter()
    try:
        redis.client(role).ping()
    except (RedisError, OSError):
        return None
    return round((time.perf_counter() - began) * 1000, 1)


def _bank() -> dict[str, Any]:
    """The bank's calls, and for how many seconds more it wants none. All None where Redis, which knows, is away."""
    try:
        metrics.flush()
        counts, held = metrics.fleet(CALLS), [one for one in seen.limited() if one.policy == pace.CALLS]
    except (RedisError, OSError):
        return {"calls": None, "failed": None, "p99_milliseconds": None, "paused_seconds": None, "problem": False}
    calls, failed, p99 = counts["miss"], counts["error"], counts["p99"]
    paused = max((one.seconds for one in held), default=0.0)
    return {
        "calls": calls,
        "failed": failed,
        "p99_milliseconds": None if p99 is None else round(p99 * 1000),
        "paused_seconds": round(paused),
        "problem": calls >= FEWEST_CALLS and failed > BANK_ERRORS * calls,
    }


def _ledger(now: datetime) -> dict[str, Any]:
    last = LedgerCheck.objects.order_by("-id").first()
    if last is None:
        return {"at": None, "passed": 0, "failed": 0, "seconds": None, "findings": [], "problem": True}
    return {
        "at": last.at.isoformat(),
        "passed": last.passed,
        "failed": last.failed,
        "seconds": round(last.seconds, 3),
        "findings": last.findings,
        "problem": bool(last.failed) or now - last.at > PROVEN_WITHIN,
    }
