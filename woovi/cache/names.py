"""Names of keys. Parts go in with their lengths, so that no two lists of parts meet, and come out as a keyed hash.

The hash hides what may be personal (a Pix key, a tax id) from whoever reads Redis. The part in braces is the hash tag:
a tenant's entries of one cache share a slot of a Cluster, because one script reads an entry and its tags' numbers.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from uuid import UUID

from django.conf import settings
from django.utils.functional import SimpleLazyObject

Part = str | int | UUID

_key = SimpleLazyObject(lambda: naming_key())


def naming_key() -> bytes:
    """Of the oldest key in SECRET_KEY_FALLBACKS: what it named and sealed is found for as long as it is listed, and
    processes that have the new key already, and those that have not, hear of each other's changes."""
    return secret(str([settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS][-1]), b"names")


def secret(master: str, purpose: bytes) -> bytes:
    """A key of its own for each purpose, so that none of them tells of another."""
    return hashlib.blake2b(purpose, key=hashlib.sha256(master.encode()).digest(), person=b"woovi.cache").digest()[:32]


def digest(*parts: Part) -> str:
    """A keyed hash (BLAKE2b, RFC 7693) of the parts. Raises TypeError for what has no one spelling."""
    text = ""
    for part in parts:
        if type(part) is not str:
            if type(part) is not int and not isinstance(part, str | UUID):
                raise TypeError(f"a part of a key is text, a whole number or a UUID, not {type(part).__name__}")
            part = str(part)
        text += f"{len(part)}:{part}"
    return hashlib.blake2b(text.encode(), key=bytes(_key), digest_size=16).hexdigest()


@lru_cache(maxsize=10_000)
def slot(cache: str, tenant: Part) -> str:
    """What the keys of a tenant's entries begin with."""
    return f"c:{{{cache}:{digest(tenant)}}}:"
