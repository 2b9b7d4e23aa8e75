"""Names of keys in Redis, and of those who load a value.

A key's parts are hashed with a secret, so that nobody who reads Redis learns a Pix key or a tax id. Each part goes in with
its length, so that no two lists of parts have one hash. The part in braces is the hash tag: a tenant's entries of one cache
share a slot of a Cluster, because one script reads an entry and the versions of its tags.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import secrets
from functools import lru_cache
from uuid import UUID

from django.conf import settings
from django.utils.functional import SimpleLazyObject

Part = str | int | UUID

_key = SimpleLazyObject(lambda: naming_key())


def naming_key() -> bytes:
    """The secret that names keys, derived from the oldest key in SECRET_KEY_FALLBACKS.

    So entries keep their names for as long as that key is listed, and during a rotation processes with the old and the
    new SECRET_KEY invalidate the same entries.
    """
    return secret(str([settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS][-1]), b"names")


def secret(master: str, purpose: bytes) -> bytes:
    """A secret derived from `master` for one purpose; it reveals nothing about those for other purposes."""
    return hashlib.blake2b(purpose, key=hashlib.sha256(master.encode()).digest(), person=b"woovi.cache").digest()[:32]


def digest(*parts: Part) -> str:
    """A keyed hash (BLAKE2b, RFC 7693) of the parts. Raises TypeError for a type that has several spellings."""
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
    """The prefix of the keys of a tenant's entries, which is their hash tag."""
    return f"c:{{{cache}:{digest(tenant)}}}:"


def new_owner() -> str:
    """An id for one read or write, which no other one has, in any process."""
    return f"{_process}.{next(_numbers)}"


def _new_process() -> None:
    """Name this process. A forked child gets a name of its own, or its owners could have its parent's ids."""
    global _process
    _process = secrets.token_hex(8)


_numbers = itertools.count(1)
_process: str
_new_process()
os.register_at_fork(after_in_child=_new_process)
