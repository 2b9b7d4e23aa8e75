"""Who is counted. Redis sees a keyed digest and never the address, e-mail or tax id itself."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from functools import lru_cache
from typing import NamedTuple

from django.conf import settings


class Subject(NamedTuple):
    """A kind ("address", "account", ...) and its value, which stays in this process."""

    kind: str
    value: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"

    @property
    def digest(self) -> str:
        return digest(self.kind, self.value)

    @property
    def label(self) -> str:
        """For operators' eyes: enough to recognise, not enough to use."""
        name, at, domain = self.value.partition("@")
        if at:
            return f"{self.kind} {name[:1]}***@{domain}"
        if self.kind == "address":
            head, dot, _ = self.value.rpartition(".")
            return f"{self.kind} {head}.*" if dot else f"{self.kind} {self.value}"
        return f"{self.kind} {self.value}" if self.kind in PUBLIC else f"{self.kind} {self.digest[:6]}"


PUBLIC = {"network", "company", "world"}  # kinds whose values tell nothing about a person


def fingerprint(*parts: str, key: bytes = b"") -> str:
    """A keyed hash of the parts (HMAC-SHA-256), as 22 letters. key: instead of the one that names buckets.

    Each part goes in with its length, so that ("pay", "15") and ("pay1", "5") differ.
    """
    text = b"".join(b"%d:%s" % (len(raw), raw) for raw in (part.encode() for part in parts))
    return urlsafe_b64encode(hmac.digest(key or _key(), text, "sha256")[:16]).decode().rstrip("=")


digest = lru_cache(maxsize=10_000)(fingerprint)
"""`fingerprint`, cached. For short values only: headers that a stranger chose would fill the memory."""


def keys() -> list[bytes]:
    """The keys derived from SECRET_KEY and SECRET_KEY_FALLBACKS, the newest first."""
    masters = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return [hmac.digest(master.encode(), b"woovi.ratelimit", "sha256") for master in masters]


@lru_cache(maxsize=1)
def _key() -> bytes:
    """The oldest key, so that during a rotation processes with the old and the new one count in the same buckets."""
    return keys()[-1]
