"""Caches that never lie about money and never let a slow API hurt.

    entry = ReadThroughCache("dict.entry", fetch, key=("tenant", "pix_key"), ttl=60, negative_ttl={KeyNotFound: 300})
    entry.get(tenant=7, pix_key="...")        # await entry.aget(...)

`ReadThroughCache` for what is slow, `VersionedCache` for rows that must never be shown older than they are, and
`oauth.OAuth2TokenCache` for access tokens, which is imported by its module: it alone needs an HTTP client.
`docs/cache.md` says when to use what.
"""

from woovi.cache.errors import LoadFailed
from woovi.cache.keyring import Keyring
from woovi.cache.readthrough import Loaded, ReadThroughCache
from woovi.cache.versioned import VersionedCache

__all__ = ["Keyring", "LoadFailed", "Loaded", "ReadThroughCache", "VersionedCache"]
