"""Rate limits: one decision, four rules on one request, what the middleware adds, and a refusal that is known already.

Python's peers run in the same rounds as ours, on the same server and through the same kind of connection; Node's run
once, in a process of their own, before.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import redis as redis_py
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from benchmarks import peers
from benchmarks.report import Row
from woovi.local.embedded.layout import Layout
from woovi.ratelimit import Ask, Policy, Subject, store, take
from woovi.ratelimit.middleware import rate_limits

TURNS, CALLS = 60, 25
MANY = 10**6  # a minute: nobody is refused
NAMES = ("a", "b", "c", "d")

# The floor: GCRA as a script can be written at the shortest, one GET and one SET a rule.
FLOOR = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local fresh = {}
for rule = 1, #KEYS do
  local full = math.max(tonumber(redis.call('GET', KEYS[rule])) or now, now) + interval
  if full - now > burst then return {0, string.format('%.0f', full - now - burst)} end
  fresh[rule] = full
end
for rule = 1, #KEYS do
  local full = fresh[rule]
  redis.call('SET', KEYS[rule], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
end
return {1, string.format('%.0f', fresh[1] - now)}
"""


def run() -> list[Row]:
    with contextlib.suppress(subprocess.CalledProcessError):
        peers.python("limits==5.8.0", "deprecated==1.3.1", "wrapt==2.5.2", "throttled-py==3.5.0", "pyrate-limiter==4.5.1", "django-ratelimit==4.1.0")  # fmt: skip
    node = _node()
    client = _plain()
    return [*_decisions(client, node), *_trips(client), _middleware(client), _refused()]


# ── a decision ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _decisions(client: redis_py.Redis, node: dict[str, float]) -> list[Row]:
    one, four = _floor(client, 1), _floor(client, 4)
    asks = _asks()
    found = _peers(client)
    seen = _microseconds(
        {
            "floor": one,
            "floor4": four,
            "ours": lambda: take(asks[0]),
            "ours4": lambda: take(*asks),
            **{name: (lambda act=act: act(1)) for name, act in found.items()},
            **{f"{name} 4": (lambda act=act: act(4)) for name, act in found.items()},
        }
    )
    ones = {name: seen[name] for name in found} | ({"rate-limiter-flexible (Node)": node["one"]} if node else {})
    fours = {name: seen[f"{name} 4"] for name in found}
    if node:
        fours |= {"rate-limiter-flexible in turn": node["inTurn"], "RateLimiterUnion": node["together"]}
    return [
        _at_most("one decision, p50 (floor: a raw one-key GCRA script)", seen["ours"], seen["floor"], 1.15, ones),
        _at_most("four rules, p50 (floor: a raw four-key script)", seen["ours4"], seen["floor4"], 1.15, fours),
    ]


def _at_most(figure: str, ours: float, floor: float, most: float, others: dict[str, float] | None = None) -> Row:
    return Row(figure, "us", ours, floor, others or {}, f"at most {most} of the floor", ours <= most * floor)


def _asks() -> list[Ask]:
    return [Ask(Policy(f"bench.{name}", "company", MANY, 60), Subject("company", "bench")) for name in NAMES]


def _floor(client: redis_py.Redis, rules: int) -> Callable[[], object]:
    sha = client.script_load(FLOOR)
    keys = [f"bench:floor:{rules}:{rule}" for rule in range(rules)]
    return lambda: client.evalsha(sha, rules, *keys, 60, 60_000_000)


def _microseconds(measures: dict[str, Callable[[], object]]) -> dict[str, float]:
    """The p50 of each, in short turns: a noisy moment meets all of them."""
    seen: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(TURNS):
        for name, act in measures.items():
            for _ in range(CALLS):
                began = time.perf_counter()
                act()
                seen[name].append(time.perf_counter() - began)
    return {name: median(values) * 1e6 for name, values in seen.items()}


def _trips(client: redis_py.Redis) -> list[Row]:
    """Commands that the server gets for four rules, by its own count; those that a script calls are not trips."""
    asks = _asks()

    def trips(act: Callable[[], object]) -> float:
        act()
        before = client.info("commandstats")
        for _ in range(50):
            act()
        after = client.info("commandstats")

        def sent(stats: dict[str, dict[str, int]], name: str) -> int:
            return stats.get(f"cmdstat_{name}", {}).get("calls", 0)

        scripts = sum(sent(after, n) - sent(before, n) for n in ("evalsha", "eval"))
        if scripts:
            return scripts / 50
        return sum(sent(after, n) - sent(before, n) for n in ("get", "set", "incrby", "incr", "expire", "pexpire")) / 50

    others = {name: trips(lambda act=act: act(4)) for name, act in _peers(client).items()}
    ours = trips(lambda: take(*asks))
    return [Row("round trips for four rules", "trips", ours, 1, others, "1", ours == 1)]


# ── around a request ─────────────────────────────────────────────────────────────────────────────────────────────────


def _middleware(client: redis_py.Redis) -> Row:
    settings.RATE_LIMIT_ALLOW = []
    policies = {name: Policy(name, policy.key, MANY, 60) for name, policy in store.shipped().items()}
    store._store._limits, store._store._looked = store.Limits(policies), float("inf")
    request = RequestFactory().get("/", REMOTE_ADDR="203.0.113.9")

    def view(_: HttpRequest) -> HttpResponse:
        return HttpResponse()

    limited = rate_limits(view)

    def fresh() -> HttpRequest:
        request.__dict__.pop("limit_decisions", None)
        request.__dict__.pop("limit_who", None)
        return request

    seen = _microseconds(
        {"floor": _floor(client, 1), "with": lambda: limited(fresh()), "without": lambda: view(fresh())}
    )
    figure = "what the middleware adds to a request, two rules and headers (floor: one raw round trip)"
    return _at_most(figure, seen["with"] - seen["without"], seen["floor"], 1.3)


def _refused() -> Row:
    ask = Ask(Policy("bench.narrow", "company", 1, 3600), Subject("company", "bench"))
    take(ask)
    take(ask)
    ours = _microseconds({"ours": lambda: take(ask)})["ours"]
    return Row("a refusal that this process knows, p50", "us", ours, None, {}, "at most 5 us", ours <= 5)


# ── peers ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _plain() -> redis_py.Redis:
    return redis_py.Redis(unix_socket_path=str(Layout.current().valkey_socket))


def _peers(client: redis_py.Redis) -> dict[str, Callable[[int], object]]:
    """Each decides for so many rules, one after another: none of them can do several at once."""
    found: dict[str, Callable[[int], object]] = {}
    with contextlib.suppress(ImportError):
        from limits import RateLimitItemPerMinute, storage, strategies

        kept = storage.RedisStorage("redis://", connection_pool=client.connection_pool)
        item = RateLimitItemPerMinute(MANY)
        for name, kind in (("fixed", "FixedWindowRateLimiter"), ("sliding", "SlidingWindowCounterRateLimiter")):
            strategy = getattr(strategies, kind)(kept)
            found[f"limits {name}"] = lambda n, s=strategy: [s.hit(item, each) for each in NAMES[:n]]
    with contextlib.suppress(ImportError):
        from throttled import RedisStore, Throttled, per_min

        shop = RedisStore("redis://127.0.0.1:1")
        shop._backend._client = client
        many = [Throttled(key=f"bench:{name}", using="gcra", quota=per_min(MANY), store=shop) for name in NAMES]
        found["throttled-py gcra"] = lambda n: [each.limit() for each in many[:n]]
    with contextlib.suppress(ImportError):
        from pyrate_limiter import GCRA, Duration, Limiter, Rate, RedisStateStore, StateBucket

        rates = [Rate(MANY, Duration.MINUTE)]
        limiters = [Limiter(StateBucket(rates, GCRA(), RedisStateStore(client, f"bench:pyrate:{n}"))) for n in NAMES]
        found["pyrate-limiter GCRA"] = lambda n: [each.try_acquire("me", blocking=False) for each in limiters[:n]]
    with contextlib.suppress(ImportError):
        from django_ratelimit.core import is_ratelimited

        request = RequestFactory().get("/", REMOTE_ADDR="203.0.113.9")
        found["django-ratelimit"] = lambda n: [
            is_ratelimited(request, group=each, key="ip", rate=f"{MANY}/m", increment=True) for each in NAMES[:n]
        ]
    return found


def _node() -> dict[str, float]:
    folder = peers.node("ioredis@6.0.0", "rate-limiter-flexible@11.4.0")
    if folder is None:
        return {}
    script = str(Path(__file__).with_suffix(".mjs"))
    command = ["node", script, str(folder), str(Layout.current().valkey_socket)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found
