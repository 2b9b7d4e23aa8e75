"""Switches that operators throw in an emergency. Every process obeys within two seconds, with Redis or without.

A process reads them from the database once a second, when somebody asks; rejected: Redis or django-waffle
(docs/decisions/0012-switches.md). What a bank was asked for before goes on to its end, and money that comes in is booked.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime

from django.utils import timezone

from payments.models import Switch

log = logging.getLogger(__name__)

Name = Switch.Name
LOOK = 1.0  # seconds between two readings


class _Known:
    """What this process has read."""

    off: frozenset[str] = frozenset()
    looked = -LOOK


known = _Known()


def is_off(name: str) -> bool:
    """Whether it is switched off, as of a second ago at most. Threads at once may read twice, which does no harm."""
    if time.monotonic() - known.looked >= LOOK:
        known.off = frozenset(Switch.objects.filter(is_off=True).values_list("name", flat=True))
        known.looked = time.monotonic()
    return name in known.off


def throw(name: Name, off: bool, reason: str, now: datetime | None = None) -> bool:
    """Switch it off or on. Returns whether it was off before."""
    was = Switch.objects.filter(name=name, is_off=True).exists()
    Switch.objects.update_or_create(
        name=name, defaults={"is_off": off, "reason": reason[:200], "changed_at": now or timezone.now()}
    )
    log.warning("Switch %s: %s", name, "off" if off else "on")
    return was
