"""What production refuses to start with: embedded engines, well-known secrets, open doors.

The settings check this when they are read, so that every process refuses in the same way, with all faults at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.http.request import validate_host

from woovi import env
from woovi.variables import strangers

TOKEN = 16  # characters of a token of ours, at least
CELERYS = ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL", "CELERY_RESULT_BACKEND")


def faults(settings: Mapping[str, Any], roles: tuple[str, ...]) -> list[str]:
    """One sentence for each thing that is wrong with `settings`. roles: Redis's."""
    production = settings["PRODUCTION"]
    found = list(strangers(os.environ, ours=production))
    if production:
        found += [*_servers(roles), *_secrets(settings), *_doors(settings)]
    elif not _loopback(settings["BANK_URL"]):
        found.append(
            f"BANK_URL: {settings['BANK_URL']} is not on this machine, and a real bank is for WOOVI_ENV=production "
            "alone, which refuses defaults that anybody knows"
        )
    return found


def _servers(roles: tuple[str, ...]) -> Iterator[str]:
    if not env.given("DATABASE_URL"):
        yield "DATABASE_URL must be set: production has no PostgreSQL of its own"
    everywhere = env.given("REDIS_URL")
    urls = {role: env.given(f"REDIS_{role.upper()}_URL") or everywhere for role in roles}
    if everywhere == "embedded://" or not any(urls.values()):
        yield "REDIS_URL must be set: production has no Redis of its own"
        return
    for role, url in urls.items():
        if not url or url == "embedded://":
            yield f"REDIS_{role.upper()}_URL (or REDIS_URL) must be set: production has no Redis of its own"
    for name in CELERYS:
        if os.environ.get(name):
            yield f"{name} would send Celery elsewhere: remove it, and set REDIS_BROKER_URL"


def _secrets(settings: Mapping[str, Any]) -> Iterator[str]:
    for name, key in [("SECRET_KEY", settings["SECRET_KEY"])] + [
        ("SECRET_KEY_FALLBACKS", former) for former in settings["SECRET_KEY_FALLBACKS"]
    ]:
        if key and (len(key) < 50 or len(set(key)) < 5 or key.startswith("django-insecure-")):
            yield f"{name} is weak: it needs 50 random characters (python -c 'import secrets; print(secrets.token_urlsafe(48))')"
    for name in ("BANK_CALLBACK_TOKEN", "METRICS_TOKEN"):
        if settings[name] and (len(settings[name]) < TOKEN or settings[name].startswith("simulated-")):
            yield f"{name} is weak: it needs {TOKEN} random characters or more"
    if settings["BANK_CLIENT_SECRET"].startswith("simulated-"):
        yield "BANK_CLIENT_SECRET is the simulator's"
    if settings["WEBHOOK_KEY"] and not _is_rsa(settings["WEBHOOK_KEY"]):
        yield "WEBHOOK_KEY must be the PEM of an RSA private key of 2048 bits or more, without a password"


def _doors(settings: Mapping[str, Any]) -> Iterator[str]:
    if settings["DEBUG"]:
        yield "DEBUG must be off: its error pages show settings and people's data"
    public = urlsplit(settings["PUBLIC_URL"])
    if not env.given("PUBLIC_URL"):
        yield "PUBLIC_URL must be set: the https:// address at which browsers and the bank reach the platform"
    elif public.scheme != "https" or public.path:
        yield "PUBLIC_URL must be https://host, without a path: passwords and callbacks come over it"
    elif not validate_host(str(public.hostname), settings["ALLOWED_HOSTS"]):
        yield "ALLOWED_HOSTS must hold the host of PUBLIC_URL"
    if "*" in settings["ALLOWED_HOSTS"]:
        yield "ALLOWED_HOSTS must name hosts: with * anybody writes the links that we send"
    if not env.given("BANK_URL"):
        yield "BANK_URL must be set: production has no simulated bank"
    elif _loopback(settings["BANK_URL"]) and urlsplit(settings["BANK_URL"]).port == 8100:
        yield "BANK_URL is the simulator's"
    elif not settings["BANK_URL"].startswith("https://") and not _loopback(settings["BANK_URL"]):
        yield "BANK_URL must be https://: the client's secret goes over it (http only to a proxy on this machine)"
    if settings["BANK_CERTIFICATE"] and not os.access(settings["BANK_CERTIFICATE"], os.R_OK):
        yield f"BANK_CERTIFICATE: cannot read {Path(settings['BANK_CERTIFICATE'])}"
    if settings["RETAIN_PERSONAL_DAYS"] < settings["RETAIN_WEBHOOKS_DAYS"]:
        yield "RETAIN_PERSONAL_DAYS must not be fewer than RETAIN_WEBHOOKS_DAYS: deliveries hold what their events hold"
    for name in ("TRUSTED_PROXIES", "RATE_LIMIT_ALLOW"):
        if any(map(_is_everybody, settings[name])):
            yield f"{name} must not be everybody: limits would count nobody by address"


def _is_everybody(text: str) -> bool:
    """Whether a network is wider than any that one owner has (fc00::/7), as the halves of the internet are."""
    network = ip_network(text, strict=False)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    return network.prefixlen - (96 if mapped else 0) < 7


def _is_rsa(pem: str) -> bool:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # here: development need not load it
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        return False
    return isinstance(key, RSAPrivateKey) and key.key_size >= 2048


def _loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
