"""Rate limits on Redis: several policies in one round trip, all or nothing; and what to do when Redis is away.

    decision = take(Ask(policy, Subject("company", "7")))     # allowed, remaining, retry_after, reset_after, violated
    with reserve(Ask(policy, subject, cost=20)) as reserved:  # worst case first
        reserved.settle(1)
    with place(policy, subject): ...                          # so many at once
    @rate_limit("pay.address")                                # a view

Policies live in the database and are in force everywhere within two seconds: `docs/ratelimit.md`.
Django's parts are `woovi.ratelimit.middleware`, `.gate` (ASGI) and `.login`.
"""

from woovi.ratelimit.block import block
from woovi.ratelimit.distinct import adistinct, distinct
from woovi.ratelimit.limiter import atake, give_back, take
from woovi.ratelimit.places import LoadShedder, aplace, place
from woovi.ratelimit.policy import Ask, Decision, Policy, RateLimited, State
from woovi.ratelimit.reserve import reserve
from woovi.ratelimit.subject import Subject

__all__ = [
    "Ask",
    "Decision",
    "LoadShedder",
    "Policy",
    "RateLimited",
    "State",
    "Subject",
    "adistinct",
    "aplace",
    "atake",
    "block",
    "distinct",
    "give_back",
    "place",
    "reserve",
    "take",
]
