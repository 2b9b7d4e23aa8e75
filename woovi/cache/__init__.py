"""Caches that never lie about money and never let a slow API hurt.

    entry = ReadThroughCache("dict.entry", fetch, key=("tenant", "pix_key"), ttl=60, negative_ttl={KeyNotFound: 300})
    entry.get(tenant=7, pix_key="...")        # await entry.aget(...)

`ReadThroughCache` for what is slow, `OAuth2TokenCache` for access tokens, `VersionedCache` for rows that must never be
shown older than they are. `docs/cache.md` says when to use what.
"""

from woovi.cache.errors import LoadFailed
from woovi.cache.keyring import Keyring
from woovi.cache.oauth import Grant, OAuth2TokenCache
from woovi.cache.readthrough import Loaded, ReadThroughCache
from woovi.cache.versioned import VersionedCache

__all__ = ["Grant", "Keyring", "LoadFailed", "Loaded", "OAuth2TokenCache", "ReadThroughCache", "VersionedCache"]
