"""Encryption of secret values that are kept: AES-256-GCM, bound to the value's name, with keys that can be rotated.

The keys are derived from SECRET_KEY, which encrypts, and SECRET_KEY_FALLBACKS, which only decrypt. A cached value of a key
that is no longer listed is a miss. Source: NIST SP 800-38D.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from woovi.cache.errors import Unreadable
from woovi.cache.names import secret

NONCE = 12  # bytes, random: safe for 2^32 values of one key


class Keyring:
    """Encrypts with the newest of some keys, and decrypts with any.

    Args:
        masters: secrets to derive the keys from, newest first.
        purpose: what they are for; keys of one purpose open nothing of another.
    """

    def __init__(self, masters: list[str], purpose: bytes = b"values") -> None:
        self._keys = [AESGCM(secret(master, purpose)) for master in masters]

    @classmethod
    def of_settings(cls, purpose: bytes = b"values") -> Keyring:
        """The keyring of SECRET_KEY and SECRET_KEY_FALLBACKS."""
        return cls([str(each) for each in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)], purpose)

    def seal(self, name: str, value: bytes) -> bytes:
        """Encrypt a value that is kept as `name`. It does not open under another name."""
        nonce = os.urandom(NONCE)
        return nonce + self._keys[0].encrypt(nonce, value, name.encode())

    def unseal(self, name: str, sealed: bytes) -> bytes:
        """Decrypt what `seal` made. Raises Unreadable for another name, a key that is no longer listed, or changed bytes."""
        for key in self._keys:
            try:
                return key.decrypt(sealed[:NONCE], sealed[NONCE:], name.encode())
            except (InvalidTag, ValueError):
                continue
        raise Unreadable("a sealed value does not open")

    def is_current(self, name: str, sealed: bytes) -> bool:
        """Whether the newest key sealed it, so that it opens after the former ones are taken off the list."""
        try:
            self._keys[0].decrypt(sealed[:NONCE], sealed[NONCE:], name.encode())
        except (InvalidTag, ValueError):
            return False
        return True
