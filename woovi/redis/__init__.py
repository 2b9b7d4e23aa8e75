"""One door to Redis: which server serves which role, and how it is asked.

    client("locks")     # this process's client; aclient("locks") the running event loop's
    Script(path)        # a Lua script, called with a client
    metrics()           # calls, errors, refusals and breakers since the start, by role and server

Roles are `cache`, `locks`, `limits`, `broker`, `channels` and `django`. `REDIS_URL` serves all of them, `REDIS_LOCKS_URL` and
its like serve one; where nothing is set, the embedded Valkey serves. docs/redis.md says what happens when it does not.
"""

from woovi.redis.address import Address
from woovi.redis.clients import aclient, client, close, in_slots
from woovi.redis.derived import celery_broker, django_cache
from woovi.redis.guard import BreakerOpen, metrics
from woovi.redis.roles import POLICIES, ROLES, Role, address
from woovi.redis.script import Script

__all__ = [
    "POLICIES",
    "ROLES",
    "Address",
    "BreakerOpen",
    "Role",
    "Script",
    "aclient",
    "address",
    "celery_broker",
    "client",
    "close",
    "django_cache",
    "in_slots",
    "metrics",
]
