"""What may be done how often: a policy, what it is asked, and what was decided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from woovi.ratelimit.subject import Subject

Mode = Literal["enforce", "shadow", "off"]
WithoutRedis = Literal["open", "closed", "local"]
MICRO = 1_000_000


@dataclass(frozen=True)
class Policy:
    """A token bucket: `limit` requests per `per` seconds, refilled evenly, of which `burst` may come at once.

    key: kind of the subject that is counted: "address", "network", "account", ...
    burst: size of the bucket; 0 is `limit`.
    blocks: seconds for which a refusal blocks the subject, the first time, the second time within a day, ...
    without_redis: let all through, refuse all (503), or count in this process at its share.
    mode: "shadow" only counts what it would have refused.
    """

    name: str
    key: str
    limit: int
    per: float
    burst: int = 0
    blocks: tuple[int, ...] = ()
    without_redis: WithoutRedis = "local"
    mode: Mode = "enforce"

    @cached_property
    def interval(self) -> int:
        """Microseconds after which one more request is allowed."""
        return max(round(self.per * MICRO / self.limit), 1)

    @cached_property
    def size(self) -> int:
        """The bucket, in microseconds that it takes to fill."""
        return (self.burst or self.limit) * self.interval

    @cached_property
    def manner(self) -> str:
        """The argument of take.lua about blocks. A policy in shadow mode never blocks."""
        return "shadow" if self.mode == "shadow" else ",".join(map(str, self.blocks))

    @cached_property
    def told(self) -> str:
        """This policy's item in the header RateLimit-Policy."""
        return f'"{self.name}";q={self.size // self.interval};w={-(-self.size // MICRO)}'

    @cached_property
    def has_blocks(self) -> bool:
        return self.manner not in ("", "shadow")


class Ask(NamedTuple):
    """A request for a policy's permission. A cost of 0 only looks, a negative one refunds."""

    policy: Policy
    subject: Subject
    cost: int = 1

    @property
    def key(self) -> str:
        return f"rl:{{{self.subject.digest}}}:{self.policy.name}"


class State(NamedTuple):
    """One policy's part of a decision. Times in seconds."""

    ask: Ask
    refused: bool
    remaining: int
    retry_after: float  # 0 where the same would be allowed now
    reset_after: float  # until the bucket is full


class Decision:
    """All asks were charged, or, if not `allowed`, none. `degraded`: decided without Redis."""

    __slots__ = ("_blocks", "_debts", "allowed", "asks", "degraded")

    def __init__(
        self, allowed: bool, asks: tuple[Ask, ...], debts: list[int], blocks: Iterable[int] = (), degraded: bool = False
    ) -> None:
        self.allowed, self.asks, self.degraded = allowed, asks, degraded
        self._debts, self._blocks = debts, blocks

    def __repr__(self) -> str:
        verdict = "allowed" if self.allowed else f"refused by {', '.join(p.name for p in self.violated)}"
        return f"<Decision {verdict}{', degraded' if self.degraded else ''}>"

    @property
    def debts(self) -> Sequence[int]:
        """Of each ask its debt in microseconds, or -1 - debt where it refused."""
        return self._debts

    def charged_less(self, place: int, cost: int) -> None:
        """The ask at this place turned out to cost less, by `cost`."""
        self._debts[place] = max(self._debts[place] - cost * self.asks[place].policy.interval, 0)

    def owed(self) -> Iterator[tuple[Ask, int, int]]:
        """Each ask with its debt and what is left of its block, both in microseconds."""
        blocks = iter(self._blocks)
        for ask, debt in zip(self.asks, self._debts, strict=False):
            yield ask, debt if debt >= 0 else -1 - debt, next(blocks, 0) if ask.policy.has_blocks else 0

    @property
    def states(self) -> list[State]:
        return [_state(*each, debt < 0) for each, debt in zip(self.owed(), self._debts, strict=False)]

    @property
    def violated(self) -> list[Policy]:
        """The policies that refused, without those in shadow mode."""
        return [state.ask.policy for state in self.states if state.refused and state.ask.policy.mode == "enforce"]

    @property
    def remaining(self) -> int:
        return min((state.remaining for state in self.states if state.ask.policy.mode == "enforce"), default=0)

    @property
    def retry_after(self) -> float:
        """Seconds until the same may be allowed."""
        return max((s.retry_after for s in self.states if s.refused and s.ask.policy.mode == "enforce"), default=0.0)

    @property
    def reset_after(self) -> float:
        return max((state.reset_after for state in self.states), default=0.0)

    @property
    def closed(self) -> bool:
        """Whether it was refused because Redis is away, which is answered with 503."""
        return self.degraded and any(policy.without_redis == "closed" for policy in self.violated)


def _state(ask: Ask, owed: int, block: int, refused: bool) -> State:
    policy = ask.policy
    wait = block or max(owed + ask.cost * policy.interval - policy.size, 0) if refused else 0
    remaining = 0 if block else max(policy.size - owed, 0) // policy.interval
    return State(ask, refused, remaining, wait / MICRO, max(owed, block) / MICRO)


class RateLimited(Exception):
    """Raised where a view or a service finds the limit reached. The middleware answers 429 (503 where it is closed)."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(repr(decision))
        self.decision = decision
