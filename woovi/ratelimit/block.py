"""Block a subject because somebody else says so: a bank that answers 429 with Retry-After."""

from __future__ import annotations

from woovi.ratelimit import limiter, local
from woovi.ratelimit.limiter import AWAY, Steps
from woovi.ratelimit.policy import MICRO, Ask


def block(ask: Ask, seconds: float) -> None:
    """Refuse the ask's subject everything of its policy for so long, in all processes at once.

    The policy needs `blocks`, as others are not looked for. Without Redis only this process knows of it.
    """
    if ask.policy.has_blocks and seconds > 0:
        local.blocked(ask, seconds)
        limiter.run(lambda _: _block(ask, seconds))


def _block(ask: Ask, seconds: float) -> Steps[None]:
    try:
        yield limiter.BLOCK, [ask.key + ":b"], [round(seconds * MICRO)]
    except AWAY:
        pass
