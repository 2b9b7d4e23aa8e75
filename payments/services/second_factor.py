"""The second factor of a log-in: a code that a phone makes from a secret and the time (TOTP, RFC 6238).

django-otp checks the codes, each of which is taken once; the secrets are kept encrypted (`payments/models/phone.py`). Ten
recovery codes stand in for a lost phone.
Who has no second factor, and logs in from an unknown browser while the alarm is on, is sent a code by mail instead.
How often codes may be tried is `woovi.ratelimit.login.CODE`'s to say: django-otp's own waits would let somebody who knows
the password lock the owner out, so they are switched off (OTP_*_THROTTLE_FACTOR).
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from base64 import b32encode

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django_otp import verify_token
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import default_key

from payments.models import Phone, User
from payments.services.errors import Duplicate, Invalid
from woovi import outbox
from woovi.cache import Unreadable

log = logging.getLogger(__name__)

DIGITS = 6
RECOVERY_CODES = 10


def is_on(user: User) -> bool:
    """Whether the user's log-in asks for a code of a phone."""
    return _device(user) is not None


def new_secret() -> str:
    """A secret for a phone, in hex."""
    return str(default_key())


def address(user: User, secret: str) -> str:
    """What the QR code says to the phone's app (otpauth://)."""
    return str(Phone(user=user, key=secret).config_url)


def for_typing(secret: str) -> str:
    """The secret in letters, in groups of four, for who cannot scan."""
    letters = b32encode(bytes.fromhex(secret)).decode()
    return " ".join(letters[at : at + 4] for at in range(0, len(letters), 4))


@transaction.atomic
def switch_on(user: User, secret: str, code: str) -> list[str]:
    """Ask for codes from now on, and return the recovery codes. All sessions of the user end.

    Raises:
        Invalid: the code is not one that the phone shows now.
        Duplicate: it is on already.
    """
    User.objects.select_for_update(no_key=True).get(pk=user.pk)  # two forms at once: the second finds the first's
    if is_on(user):
        raise Duplicate("The second factor is on already", "code")
    device = Phone(user=user, key=secret, name="phone")
    device.key = device.sealed()
    if not device.verify_token(_digits(code)):  # saves it
        raise Invalid("The code is wrong", "code")
    _changed(user, on=True)
    return new_recovery_codes(user)


@transaction.atomic
def new_recovery_codes(user: User) -> list[str]:
    """Make other recovery codes; the former ones end. Only their digests are kept."""
    StaticDevice.objects.filter(user=user).delete()
    device = StaticDevice.objects.create(user=user, name="recovery")
    codes = [b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(RECOVERY_CODES)]
    StaticToken.objects.bulk_create(StaticToken(device=device, token=_digest(code)) for code in codes)
    return ["-".join(code[at : at + 4] for at in range(0, 16, 4)) for code in codes]


def recovery_codes_left(user: User) -> int:
    """How many of them are not used yet."""
    return int(StaticToken.objects.filter(device__user=user).count())


def check(user: User, code: str) -> bool:
    """Whether this is the phone's code or a recovery code. It is used up."""
    digits = _digits(code)
    if len(digits) == DIGITS and digits.isascii() and digits.isdecimal():
        return (device := _device(user)) is not None and _verify(device, digits)
    recovery = StaticDevice.objects.filter(user=user).first()
    return recovery is not None and verify_token(user, recovery.persistent_id, _digest(digits.lower())) is not None


@transaction.atomic
def switch_off(user: User) -> None:
    """Ask for no code any more. All sessions of the user end. Raises Invalid where it was off."""
    StaticDevice.objects.filter(user=user).delete()
    if not Phone.objects.filter(user=user).delete()[0]:
        raise Invalid("The second factor is off already", "code")
    _changed(user, on=False)


def _changed(user: User, on: bool) -> None:
    """End the user's sessions and known browsers of before, and tell the user, who may not be the one that did it."""
    user.credentials_changed_at = timezone.now()
    user.save(update_fields=["credentials_changed_at"])
    outbox.write("task:mail_second_factor", str(user.company_id or ""), {"user_id": user.pk, "on": on})


def send_code(user: User, until: float) -> str:
    """Queue a mail with a code. Returns the nonce by which `mailed_code` computes it again; the code is kept nowhere.

    until: Unix time after which the caller takes the code no more, so that it is not mailed either.
    """
    nonce = secrets.token_urlsafe(12)
    payload = {"user_id": user.pk, "nonce": nonce, "until": until}
    with transaction.atomic():
        outbox.write("task:mail_log_in_code", str(user.company_id or ""), payload)
    return nonce


def mailed_code(user_id: int, nonce: str) -> str:
    """The code of six digits that belongs to this mail."""
    digest = hmac.digest(settings.SECRET_KEY.encode(), f"log-in code {user_id} {nonce}".encode(), "sha256")
    return f"{int.from_bytes(digest) % 10**DIGITS:0{DIGITS}}"


def check_mailed(user: User, nonce: str, code: str) -> bool:
    """Whether this is the code that was sent."""
    return hmac.compare_digest(_digits(code).encode(), mailed_code(user.pk, nonce).encode())


def seal() -> int:
    """Encrypt by the newest SECRET_KEY the secrets that are plain or that a former one sealed. Returns how many."""
    done = 0
    for device in Phone.objects.iterator():
        if device.is_current:
            continue
        try:
            sealed = device.sealed()
        except Unreadable:
            _lost(device)
            continue
        done += Phone.objects.filter(pk=device.pk, key=device.key).update(key=sealed)
    return done


def _device(user: User) -> Phone | None:
    found: Phone | None = Phone.objects.filter(user=user, confirmed=True).first()
    return found


def _verify(device: Phone, digits: str) -> bool:
    """Whether the phone shows this code now. No code is right where the secret does not open: recovery codes still are."""
    try:
        return verify_token(device.user, device.persistent_id, digits) is not None
    except Unreadable:
        _lost(device)
        return False


def _lost(device: Phone) -> None:
    log.error("The second factor of user %s does not open: its SECRET_KEY is not listed any more", device.user_id)


def _digits(code: str) -> str:
    return code.replace(" ", "").replace("-", "")


def _digest(code: str) -> str:
    """As many letters as django-otp's column holds. A recovery code is random, so it needs no slow hash."""
    return hashlib.sha256(code.encode()).hexdigest()[:16]
