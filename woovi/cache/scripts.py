"""The Lua scripts: five of ReadThroughCache, four of VersionedCache. The head of each file describes its arguments."""

from __future__ import annotations

from pathlib import Path

from woovi.redis import Script

LUA = Path(__file__).parent / "lua"
READ, FILL, FAIL, DROP, BUMP = (Script(LUA / f"{name}.lua") for name in ("read", "fill", "fail", "drop", "bump"))
LOOK, OFFER, INTEND, SETTLE = (Script(LUA / f"{name}.lua") for name in ("look", "offer", "intend", "settle"))
