"""Encryption of what is secret at rest: AES-256-GCM, bound to the key's name, with keys that can be changed.

The keys come of SECRET_KEY and SECRET_KEY_FALLBACKS: the first encrypts, all decrypt. What only a key that was taken off
the list could read is a miss, and is fetched anew. Source: NIST SP 800-38D.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from woovi.cache.errors import Unreadable
from woovi.cache.names import secret

NONCE = 12  # bytes; at random: safe for 2^32 values a key


class Keyring:
    """masters: secrets, the newest first."""

    def __init__(self, masters: list[str]) -> None:
        self._keys = [AESGCM(secret(master, b"values")) for master in masters]

    @classmethod
    def of_settings(cls) -> Keyring:
        return cls([str(each) for each in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])

    def seal(self, name: str, value: bytes) -> bytes:
        nonce = os.urandom(NONCE)
        return nonce + self._keys[0].encrypt(nonce, value, name.encode())

    def unseal(self, name: str, sealed: bytes) -> bytes:
        """Raises Unreadable: of another name, of a key that is gone, or changed."""
        for key in self._keys:
            try:
                return key.decrypt(sealed[:NONCE], sealed[NONCE:], name.encode())
            except (InvalidTag, ValueError):
                continue
        raise Unreadable("a sealed value does not open")
