"""The limits in force, in this process's memory; read anew within a second of a change.

Each change raises a number in Redis, and once a second a request compares it. If it changed, the limits are read from the
database. Without Redis or the database the last limits stay in force; before the first reading, the shipped ones.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.module_loading import import_string

from woovi.ratelimit import local, seen, version
from woovi.ratelimit.address import IP, Networks
from woovi.ratelimit.policy import Ask, Policy
from woovi.ratelimit.subject import Subject
from woovi.threads import gives_back

log = logging.getLogger(__name__)

LOOK = 1.0  # seconds between two looks at the version
Rule = str | tuple[str, int]  # a policy's name, or with a cost of its own


@dataclass(frozen=True)
class Limits:
    """All limits, as they stand. `rows` by (name, scope): a subject, or "plan:NAME"."""

    defaults: Mapping[str, Policy]
    rows: Mapping[tuple[str, str], Policy] = field(default_factory=dict)
    plans: Mapping[str, str] = field(default_factory=dict)
    allow: Networks = field(default_factory=Networks)
    deny: Networks = field(default_factory=Networks)
    allowed: frozenset[str] = frozenset()  # subjects
    denied: frozenset[str] = frozenset()

    def policy(self, name: str, subject: str = "") -> Policy:
        """The policy of that name for a subject: its own, its plan's, or everybody's. Raises KeyError for no name."""
        if self.rows:
            if found := self.rows.get((name, subject)):
                return found
            if (plan := self.plans.get(subject)) and (found := self.rows.get((name, f"plan:{plan}"))):
                return found
        return self.defaults[name]

    def asks(self, rules: Iterable[Rule], who: Mapping[str, str], cost: int = 1) -> tuple[Ask, ...]:
        """What to take for these policies. One whose kind of subject is not known here, or is allowed, is left out."""
        found = []
        for rule in rules:
            name, own = (rule, cost) if isinstance(rule, str) else rule
            kind = self.defaults[name].key
            value = who.get(kind)
            if value is not None and not (self.allowed and f"{kind}:{value}" in self.allowed):
                policy = self.policy(name, f"{kind}:{value}" if self.rows else "")
                found.append(Ask(policy, Subject(kind, value), own))
        return tuple(found)

    def denies(self, address: IP | None, who: Mapping[str, str]) -> bool:
        return address in self.deny or bool(self.denied and any(f"{k}:{v}" in self.denied for k, v in who.items()))


@cache
def shipped() -> dict[str, Policy]:
    """The product's defaults: RATE_LIMIT_POLICIES names a list of them."""
    policies: Sequence[Policy] = import_string(settings.RATE_LIMIT_POLICIES)
    return {policy.name: policy for policy in policies}


@cache
def _unread() -> Limits:
    """The limits before the database was read."""
    return Limits(shipped(), allow=Networks(settings.RATE_LIMIT_ALLOW))


class Store:
    """The limits of this process, read anew when their version changes."""

    def __init__(self) -> None:
        self._limits: Limits | None = None
        self._version = b""
        self._looked = self._read = -version.AGE
        self._busy = threading.Lock()

    def current(self) -> Limits:
        """The limits in force. Once a second one caller checks for changes; the others do not wait."""
        if time.monotonic() - self._looked >= LOOK:
            self.refresh()
        return self._limits or _unread()

    async def acurrent(self) -> Limits:
        """`current` for asyncio."""
        if time.monotonic() - self._looked >= LOOK:
            # In a thread that keeps no connection: no request's end would give it back, or see that it broke.
            await sync_to_async(gives_back(self.refresh), thread_sensitive=False)()
        return self._limits or _unread()

    def refresh(self) -> None:
        if not self._busy.acquire(blocking=False):
            return
        try:
            self._looked = time.monotonic()
            seen.flush()
            number = version.current()
            if number == self._version and self._looked - self._read < version.AGE:
                return
            if number not in (self._version, None):
                local.forget()
            self._limits, self._version, self._read = read(), number or b"", self._looked
        except Exception:  # whatever it is, limits must not take the site down
            log.exception("Limits were not read; the last ones stay in force")
        finally:
            self._busy.release()


def read() -> Limits:
    """The limits as the database has them now."""
    from woovi.ratelimit.models import LimitEntry, LimitPlan, LimitPolicy

    defaults, rows = dict(shipped()), {}
    for row in LimitPolicy.objects.filter(in_force=True):
        if row.plan or row.subject:
            rows[row.name, row.subject or f"plan:{row.plan}"] = row.policy()
        else:
            defaults[row.name] = row.policy()
    entries: dict[tuple[str, bool], list[str]] = {}
    for entry in LimitEntry.objects.filter(models.Q(until=None) | models.Q(until__gt=timezone.now()), in_force=True):
        entries.setdefault((entry.kind, entry.is_network), []).append(entry.who)
    return Limits(
        defaults=defaults,
        rows=rows,
        plans=dict(LimitPlan.objects.filter(in_force=True).values_list("subject", "plan")),
        allow=Networks([*settings.RATE_LIMIT_ALLOW, *entries.get(("allow", True), [])]),
        deny=Networks(entries.get(("deny", True), [])),
        allowed=frozenset(entries.get(("allow", False), [])),
        denied=frozenset(entries.get(("deny", False), [])),
    )


_store = Store()


def current() -> Limits:
    """The limits in force."""
    return _store.current()


async def acurrent() -> Limits:
    """`current` for asyncio."""
    return await _store.acurrent()
