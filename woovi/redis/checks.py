"""Django's system checks of the servers. They connect, so only `manage.py check --deploy [--tag redis]` runs them.

redis.E001 unreachable, E002 too old, E003 may evict what must stay, E004 not what the address says; redis.W005 clocks
apart, W006 slow, W007 nearly full.
"""

from __future__ import annotations

from typing import Any

from django.core import checks

from woovi.redis.diagnosis import examine
from woovi.redis.roles import ROLES

LAST_ERROR = 4


@checks.register("redis", deploy=True)
def check_redis(**_: Any) -> list[checks.CheckMessage]:
    """One message a problem, with what mends it."""
    messages: list[checks.CheckMessage] = []
    for found in map(examine, ROLES):
        for each in found.problems:
            kind, letter = (checks.Error, "E") if each.number <= LAST_ERROR else (checks.Warning, "W")
            text = f"Redis for {found.role}: {each.text.removesuffix('.')}."
            messages.append(kind(text, hint=each.mend, id=f"redis.{letter}{each.number:03}"))
    return messages
