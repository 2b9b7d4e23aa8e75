"""Charge the worst case first, and settle when the cost is known.

    with reserve(ask(policy, subject, cost=20)) as reserved:   # RateLimited where it does not fit
        found = look_up()
        reserved.settle(1 if found else 20)

Looking up first and charging afterwards would let a crowd through: all would look before the first is charged.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from types import TracebackType

from woovi.ratelimit import limiter, local
from woovi.ratelimit.limiter import AWAY, Call, Steps, by_subject, reservation_key
from woovi.ratelimit.policy import Ask, Decision, RateLimited

LIFETIME = 3_600_000  # ms in which a reservation may be settled


class reserve:  # noqa: N801  (used as a function is)
    """A charge that `settle` may reduce. If it is never called, as after a crash, the whole charge stays."""

    def __init__(self, *asks: Ask) -> None:
        self.asks = tuple(ask for ask in asks if ask.policy.mode != "off")
        self.id = secrets.token_urlsafe(9)
        self.decision: Decision | None = None

    def take(self) -> Decision:
        """Charge, and return the decision. Raises nothing."""
        self.decision = limiter.run(lambda slots: limiter.take_steps(self.asks, slots, self.id, LIFETIME))
        return self.decision

    async def atake(self) -> Decision:
        self.decision = await limiter.arun(lambda slots: limiter.take_steps(self.asks, slots, self.id, LIFETIME))
        return self.decision

    def settle(self, cost: int) -> bool:
        """Reduce the charge to the real cost of each ask, at most the reserved one. Returns False the second time."""
        return limiter.run(lambda slots: self._settle(cost, slots))

    async def asettle(self, cost: int) -> bool:
        return await limiter.arun(lambda slots: self._settle(cost, slots))

    def _settle(self, cost: int, slots: bool) -> Steps[bool]:
        if self.decision is None or not self.decision.allowed or not self.asks:
            return False
        if self.decision.degraded:
            decision, self.decision = self.decision, None
            local.decide([ask._replace(cost=cost - ask.cost) for ask in decision.asks])
            return True
        settled = False
        for group in by_subject(self.asks) if slots else [self.asks]:
            try:
                settled = bool((yield self._call(group, cost))) or settled
            except AWAY:  # it stays charged, and the bucket fills by itself
                continue
        if settled:
            local.charged_less(self.asks)
        return settled

    def _call(self, asks: Sequence[Ask], cost: int) -> Call:
        keys = [*(ask.key for ask in asks), reservation_key(asks, self.id)]
        return limiter.SETTLE, keys, [max(ask.cost - cost, 0) * ask.policy.interval for ask in asks]

    def __enter__(self) -> reserve:
        if not self.take().allowed:
            raise RateLimited(self.decision)  # type: ignore[arg-type]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Without `settle`, also after an exception, the whole charge stays."""

    async def __aenter__(self) -> reserve:
        if not (await self.atake()).allowed:
            raise RateLimited(self.decision)  # type: ignore[arg-type]
        return self

    async def __aexit__(self, *_: object) -> None:
        pass
