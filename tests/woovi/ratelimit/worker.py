"""One of many processes that try at once: `python -m tests.woovi.ratelimit.worker TRIES CLOCK_SKEW MODE`.

Its clocks are off by CLOCK_SKEW seconds. MODE "careless" is what the limiter is not: it looks, then counts.
"""

import asyncio
import sys
import time

from django.conf import settings

settings.configure(SECRET_KEY="one for all", RATE_LIMIT_PROCESSES=8)

tries, skew, mode = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
real_time, real_monotonic = time.time, time.monotonic
time.time = lambda: real_time() + skew  # type: ignore[assignment]
time.monotonic = lambda: real_monotonic() + 10_000 + skew  # type: ignore[assignment]

from woovi import redis  # noqa: E402
from woovi.ratelimit import Ask, Policy, Subject, atake, local, take  # noqa: E402
from woovi.redis import POLICIES  # noqa: E402
from woovi.redis.roles import Policy as Patience  # noqa: E402

# On a busy machine Redis is not away: who gave up after the usual 0.1 s would go by its own bucket and let more in.
POLICIES["limits"] = Patience(timeout=20, connections=2)
ASKS = tuple(Ask(Policy(name, "account", limit, 36_000), Subject("account", "all")) for name, limit in (("a", 100), ("b", 150)))  # fmt: skip


def careless() -> bool:
    """The negative control: what counts after it looked."""
    looked = take(*(ask._replace(cost=0) for ask in ASKS))
    if looked.remaining < 1:
        return False
    take(*(ask._replace(policy=Policy(ask.policy.name, "account", 10**9, 10**9 * ask.policy.interval / 1e6)) for ask in ASKS))  # fmt: skip
    return True


def once() -> bool:
    local.forget()  # each try is Redis's to decide
    if mode == "careless":
        return careless()
    return take(*ASKS).allowed


async def amany() -> int:
    allowed = 0
    for _ in range(tries):
        local.forget()
        allowed += (await atake(*ASKS)).allowed
    return allowed


redis.client("limits").ping()
print("ready", flush=True)
sys.stdin.readline()
passed = asyncio.run(amany()) if mode == "async" else sum(once() for _ in range(tries))
print(passed, take(ASKS[1]._replace(cost=0)).remaining, flush=True)
