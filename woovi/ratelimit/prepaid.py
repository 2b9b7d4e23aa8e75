"""A view's dearest case, charged with the request's own rules and settled with the process's next charge: no trip of its own.

    RATE_LIMIT_RULES returns ("api.company", ("api.lookups", 20))
    with prepaid(request, "api.lookups", company="7") or reserve(...) as reserved:
        found = look_up()
        reserved.settle(1)

As with `reserve`, the whole charge stays where the view does not settle it. Where the view never asks for it, all comes back.
What comes back waits in this process for its next charge of the same bucket. Where there is none before the bucket is full
anyhow, it is forgotten: so the bucket may show too little for a moment, and never too much.
"""

from __future__ import annotations

import time

from django.http import HttpRequest

from woovi.ratelimit import local
from woovi.ratelimit.policy import MICRO, Ask, Decision


class Prepaid:
    """A charge that may be reduced once."""

    def __init__(self, decision: Decision, place: int) -> None:
        self.decision, self.place = decision, place
        self.full = time.monotonic() + decision.debts[place] / MICRO  # when its bucket is full by itself
        self.used = self.settled = False

    @property
    def ask(self) -> Ask:
        return self.decision.asks[self.place]

    def settle(self, cost: int) -> bool:
        """Reduce the charge to the real cost. Returns False the second time."""
        if self.settled:
            return False
        self.settled = True
        ask, back = self.ask, max(self.ask.cost - cost, 0)
        if self.decision.degraded:
            local.decide([ask._replace(cost=-back)])
        else:
            self.decision.charged_less(self.place, back)
            local.owe(ask, back, self.full)
        local.charged_less([ask])
        return True

    def __enter__(self) -> Prepaid:
        self.used = True
        return self

    def __exit__(self, *_: object) -> None:
        """Without `settle`, also after an exception, the whole charge stays."""


def note(request: HttpRequest, decision: Decision) -> None:
    """Keep what this decision charged in advance: the asks that cost more than 1."""
    request.__dict__["limit_prepaid"] = [
        Prepaid(decision, place)
        for place, (ask, debt) in enumerate(zip(decision.asks, decision.debts, strict=False))
        if ask.cost > 1 and debt >= 0  # one that a shadow refused was not charged
    ]


def prepaid(request: HttpRequest, name: str, **subjects: str) -> Prepaid | None:
    """What was charged for this policy and subject with the request itself, once; None where nothing was."""
    for each in request.__dict__.get("limit_prepaid", ()):
        policy, subject, _ = each.ask
        if policy.name == name and subjects.get(subject.kind) == subject.value and not each.used:
            return each  # type: ignore[no-any-return]
    return None


def give_back(request: HttpRequest) -> None:
    """Give back what no view asked for."""
    for each in request.__dict__.get("limit_prepaid", ()):
        if not each.used:
            each.settle(0)
