"""The list of all environment variables, and suggestions for misspelt ones.

`woovi.env` reads nothing that is not listed here, and a test wants each in docs/operations.md.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping

KNOWN = frozenset(
    [
        "WOOVI_ENV",
        "WOOVI_DATA_DIR",
        "WOOVI_APP_ID",
        "DEBUG",
        "HOST",
        "PORT",
        "NO_COLOR",
        "SECRET_KEY",
        "SECRET_KEY_FALLBACKS",
        "PUBLIC_URL",
        "ALLOWED_HOSTS",
        "DATABASE_URL",
        "DATABASE_POOL",
        "REDIS_URL",
        "REDIS_CACHE_URL",
        "REDIS_LOCKS_URL",
        "REDIS_LIMITS_URL",
        "REDIS_BROKER_URL",
        "REDIS_CHANNELS_URL",
        "REDIS_DJANGO_URL",
        "LOCKS_WITHOUT_REDIS",
        "GRAPHQL_DOCUMENTS",
        "BANK_URL",
        "BANK_CLIENT_ID",
        "BANK_CLIENT_SECRET",
        "BANK_CERTIFICATE",
        "BANK_TIMEOUT",
        "BANK_CALLBACK_TOKEN",
        "BANK_ISPB",
        "WEBHOOK_KEY",
        "WEBHOOK_ATTEMPTS",
        "WEBHOOK_BACKOFF",
        "WEBHOOK_TIMEOUT",
        "PAYOUT_LEASE",
        "PAYOUT_IN_FLIGHT",
        "PAYOUT_CHUNKS",
        "PAYOUT_FILE_BYTES",
        "WEBHOOK_ALLOW_PRIVATE",
        "WEBHOOK_IPS",
        "EMAIL_HOST",
        "EMAIL_PORT",
        "EMAIL_HOST_USER",
        "EMAIL_HOST_PASSWORD",
        "EMAIL_USE_TLS",
        "DEFAULT_FROM_EMAIL",
        "RATE_LIMIT_IN_FLIGHT",
        "RATE_LIMIT_STRANGERS",
        "RATE_LIMIT_PROCESSES",
        "RATE_LIMIT_ALLOW",
        "TRUSTED_PROXIES",
        "METRICS_TOKEN",
        "RETAIN_WEBHOOKS_DAYS",
        "RETAIN_PERSONAL_DAYS",
    ]
)
OURS = (
    "WOOVI_",
    "DATABASE_",
    "REDIS_",
    "LOCKS_",
    "GRAPHQL_",
    "BANK_",
    "WEBHOOK_",
    "PAYOUT_",
    "EMAIL_",
    "RATE_LIMIT_",
    "RETAIN_",
    "SECRET_KEY",
)
# What Kubernetes and Docker's links say of a service called `redis` or `database`: nobody wrote it.
INJECTED = re.compile(r"\w+(_SERVICE_(HOST|PORT\w*)|_PORT_\d+_(TCP|UDP)\w*)=.*|\w+_PORT=(tcp|udp)://.*")
ALIKE = 0.85  # of difflib, from 0 to 1: one or two letters of a name


def strangers(environ: Mapping[str, str], ours: bool) -> Iterator[str]:
    """One sentence for each variable that is nearly one of ours or begins with WOOVI_; with `ours`, also for each that has
    another of our prefixes. On a developer's machine those may be of another program."""
    for name, value in sorted(environ.items()):
        bare = name.removesuffix("_FILE")
        if name in KNOWN or bare in KNOWN or INJECTED.fullmatch(f"{name}={value}"):
            continue
        if meant := nearest(bare, ALIKE):
            yield f"{name} is not a variable of this platform: did you mean {meant}?"
        elif name.startswith(OURS if ours else "WOOVI_"):
            guess = nearest(bare, 0.6)
            yield f"{name} is not a variable of this platform" + (f": did you mean {guess}?" if guess else "")


def nearest(name: str, alike: float) -> str:
    """The known name that `name` was probably meant to be; empty where none is near."""
    close = difflib.get_close_matches(name.upper(), KNOWN, 1, alike)
    # A prefix makes another name (MY_SECRET_KEY), and short names are near too many others.
    if not close or (alike >= ALIKE and (abs(len(close[0]) - len(name)) > 2 or len(name) < 7)):
        return ""
    return close[0]
