"""The scripts. Their heads say what they take, keep and answer."""

from __future__ import annotations

from pathlib import Path

from woovi.redis import Script

LUA = Path(__file__).parent / "lua"
ACQUIRE, RELEASE, EXTEND, LOOK = (Script(LUA / f"{name}.lua") for name in ("acquire", "release", "extend", "look"))
