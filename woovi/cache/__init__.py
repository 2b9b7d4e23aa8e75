"""Caches: slow sources are loaded once for all processes, and a balance is never shown older than it is.

    entry = ReadThroughCache("dict.entry", fetch, key=("tenant", "pix_key"), ttl=60, negative_ttl={KeyNotFound: 300})
    entry.get(tenant=7, pix_key="...")        # await entry.aget(...)

`ReadThroughCache` is for slow sources, `VersionedCache` for rows that must never be shown older than they are,
`oauth.OAuth2TokenCache` for access tokens. The last is imported from its module, because it alone needs an HTTP client.
`docs/cache.md` says when to use which.
"""

from woovi.cache.errors import LoadFailed, Unreadable
from woovi.cache.keyring import Keyring
from woovi.cache.loading import Loaded
from woovi.cache.readthrough import ReadThroughCache
from woovi.cache.versioned import VersionedCache

__all__ = ["Keyring", "LoadFailed", "Loaded", "ReadThroughCache", "Unreadable", "VersionedCache"]
