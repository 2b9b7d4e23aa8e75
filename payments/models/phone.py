"""The phone that makes a person's second factor: django-otp's device, with its secret encrypted."""

from __future__ import annotations

from base64 import b64decode, b64encode

from django_otp.plugins.otp_totp.models import TOTPDevice

from woovi.cache import Keyring

SEALED = "sealed:"  # begins a secret that is encrypted; others are in hex, as django-otp keeps them
PURPOSE = b"second factor"


class Phone(TOTPDevice):  # type: ignore[misc]
    """A device whose secret only SECRET_KEY opens, and only for its own user: a copy of the database alone makes no codes.

    A plain secret is read, too: processes of a former version may write one while they are replaced. `second_factor.seal`
    encrypts those every night, and what a former SECRET_KEY sealed.
    """

    class Meta:
        proxy = True
        default_permissions = ()

    @property
    def bin_key(self) -> bytes:
        """The secret, of 20 bytes. Raises Unreadable where the key that sealed it is no longer listed."""
        if not self.key.startswith(SEALED):
            return bytes.fromhex(self.key)
        return Keyring.of_settings(PURPOSE).unseal(self._name, self._sealed)

    @property
    def is_current(self) -> bool:
        """Whether the newest SECRET_KEY sealed it."""
        return self.key.startswith(SEALED) and Keyring.of_settings(PURPOSE).is_current(self._name, self._sealed)

    def sealed(self) -> str:
        """Its secret as it is to be kept: 71 characters, of which the column takes 80. Raises Unreadable as `bin_key`."""
        return SEALED + b64encode(Keyring.of_settings(PURPOSE).seal(self._name, self.bin_key)).decode()

    @property
    def _name(self) -> str:
        return f"user {self.user_id}"

    @property
    def _sealed(self) -> bytes:
        return b64decode(self.key.removeprefix(SEALED))
