"""The alarm: an unusual share of all log-ins fails, so somebody may be trying stolen passwords.

Counted are strangers' log-ins, and of those that did not fail one for each account in `per` seconds: whoever has an account
could otherwise make failures look rare by logging in again and again. While the alarm is on, strangers wait longer after each failure, and pages ask them for a second factor (`login`). Known devices
notice nothing. The policy `login.alarm` says from how many failures (`limit`) in how many seconds (`per`); in the mode
"shadow" the alarm is only counted and logged.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from woovi.ratelimit import limiter, metrics, store
from woovi.ratelimit.limiter import AWAY, Steps
from woovi.ratelimit.policy import MICRO, Ask
from woovi.ratelimit.subject import Subject, fingerprint

log = logging.getLogger(__name__)

POLICY = "login.alarm"


def note(account: str, failed: bool) -> None:
    """Count a stranger's log-in to an account that failed, or one that did not."""
    once = [] if failed else [f"{key()}:{fingerprint('account', account)}"]
    left, began = limiter.run(lambda _: _count(1, int(failed), once))
    if began:
        metrics.counts[POLICY, "refused" if _enforced() else "shadow"] += 1
        log.warning("Unusually many log-ins fail: the alarm is on for %.0f s at least", left / MICRO)


def seconds() -> float:
    """How long the alarm will last, if log-ins are as usual from now on. 0.0 where it is not on."""
    return limiter.run(lambda _: _count(0, 0))[0] / MICRO if _enforced() else 0.0


def key() -> str:
    """The key in Redis."""
    return Ask(store.current().policy(POLICY), Subject("world", "all")).key + ":a"


def _enforced() -> bool:
    return store.current().policy(POLICY).mode == "enforce"


def _count(log_ins: int, failed: int, once: Sequence[str] = ()) -> Steps[tuple[int, int]]:
    policy = store.current().policy(POLICY)
    if policy.mode == "off":
        return 0, 0
    try:
        left, began = yield limiter.ALARM, [key(), *once], [log_ins, failed, round(policy.per * MICRO), policy.limit]
    except AWAY:
        return 0, 0
    return left, began
