"""Typed settings from the environment. A wrong value stops the start with a line that names the variable."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from psycopg.pq import Conninfo

from woovi.variables import KNOWN

T = TypeVar("T")
_DATABASE = re.compile(r"/[^/@${}]+")  # the path of its URL
_SERVERS = re.compile(r"[A-Za-z0-9._:%,-]*")


_gathered: list[str] | None = None


def gather() -> None:
    """Collect faults and use defaults until `refuse_faults`, so that a person sees all faults at once."""
    global _gathered
    _gathered = []


def refuse_faults(*more: str) -> None:
    """End `gather`. Raises ImproperlyConfigured with all faults, a line each, where there are any."""
    global _gathered
    faults, _gathered = [*(_gathered or []), *more], None
    if faults:
        raise ImproperlyConfigured("\n".join(faults))


def fault(message: str, instead: T) -> T:
    """Raise ImproperlyConfigured. Between `gather` and `refuse_faults`, note the fault and return `instead`."""
    if _gathered is None:
        raise ImproperlyConfigured(message)
    _gathered.append(message)
    return instead


def given(name: str) -> str:
    """What the variable was set to, itself or in the file that NAME_FILE points to (how secrets are mounted); or empty."""
    if name not in KNOWN:
        raise LookupError(f"{name} is not listed in woovi.variables")
    value, path = os.environ.get(name, ""), os.environ.get(f"{name}_FILE", "")
    if not path:
        return value
    if value:
        return fault(f"{name} and {name}_FILE are both set: which one counts?", value)
    try:
        value = Path(path).read_text().strip()
    except (OSError, UnicodeError) as error:
        return fault(f"{name}_FILE: cannot read {path}: {getattr(error, 'strerror', 'not UTF-8 text')}", "")
    return value or fault(f"{name}_FILE: {path} is empty", "")


def text(name: str, default: str | None = None) -> str:
    """The variable's text. A fault where it is not set and there is no default."""
    value = given(name)
    if not value and default is None:
        # Where NAME_FILE cannot be read, that was said.
        return "" if os.environ.get(f"{name}_FILE") else fault(f"{name} must be set (or {name}_FILE)", "")
    return value or default or ""


def generated(path: Path, make: Callable[[], str]) -> str:
    """The secret in `path`, which `make` makes at the first call. Of two first processes, one wins."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{secrets.token_hex(4)}")
        fresh.touch(mode=0o600)
        fresh.write_text(make())
        try:
            path.hardlink_to(fresh)
        except FileExistsError:
            pass
        fresh.unlink()
    return path.read_text()


def flag(name: str, default: bool) -> bool:
    """Whether the variable is true, by 1, true, yes, 0, false or no."""
    value = given(name).lower()
    if value in {"", "1", "true", "yes", "0", "false", "no"}:
        return default if not value else value in {"1", "true", "yes"}
    return fault(f"{name} must be true or false, not {value!r}", default)


def integer(name: str, default: int, minimum: int = 0, maximum: int = 2**31) -> int:
    """The variable's value, a whole number from `minimum` to `maximum`."""
    value = given(name)
    try:
        number = int(value) if value else default
    except ValueError:
        return fault(f"{name} must be a whole number, not {value!r}", default)
    if not minimum <= number <= maximum:
        return fault(f"{name} must be from {minimum} to {maximum}, not {number}", default)
    return number


def choice(name: str, choices: Sequence[str], default: str) -> str:
    """The variable's value, which must be one of `choices`."""
    value = given(name) or default
    if value not in choices:
        return fault(f"{name} must be one of {', '.join(choices)}, not {value!r}", default)
    return value


def comma_separated(name: str, default: str) -> list[str]:
    """A comma-separated list."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def networks(name: str, default: str) -> list[str]:
    """A list of addresses and networks in CIDR notation."""
    found = comma_separated(name, default)
    try:
        for each in found:
            ip_network(each, strict=False)
    except ValueError as error:
        return fault(f"{name}: {error}", [])
    return found


def http_url(name: str, default: str) -> str:
    """The variable's value, an http or https address without query, without its last slash."""
    value = text(name, default).rstrip("/")
    try:
        parts = urlsplit(value)
        right = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1)
        right = right and not (parts.query or parts.fragment or re.search(r"[\s,]", value))
    except ValueError:
        right = False
    if not right:
        shown = "" if "@" in value else f", not {value!r}"  # there may be a password in it
        return fault(f"{name} must be an http(s) URL{shown}", default)
    if parts.username or parts.password:  # it would come into logs with the URL
        return fault(f"{name} is no place for a user and a password", default)
    return value


def database(url: str) -> dict[str, object]:
    """Django's DATABASES entry of a `postgresql://user:password@host:port/name?option=value` URL.

    A socket directory goes into `host`, as libpq has it. Other query options are passed to libpq.
    """
    shape = "DATABASE_URL must be a postgresql://user:password@host:port/name URL"
    try:
        parts = urlsplit(url)
        right = parts.scheme in {"postgresql", "postgres"} and (parts.port or 1)
    except ValueError:
        right = False
    if not right or "://" not in url or re.search(r"\s", url):
        return fault(shape, {"OPTIONS": {}})
    if parts.fragment or not _DATABASE.fullmatch(parts.path) or not _SERVERS.fullmatch(parts.hostname or ""):
        # Not shown, since it may be a part of the password.
        return fault(f"{shape}; write / ? # @ as %2F %3F %23 %40 in a password", {"OPTIONS": {}})
    options = dict(parse_qsl(parts.query))
    if unknown := options.keys() - {each.keyword.decode() for each in Conninfo.get_defaults()}:
        return fault(f"DATABASE_URL: {', '.join(sorted(unknown))} is no option of libpq", {"OPTIONS": {}})
    return {
        "ENGINE": "woovi.postgres",
        "NAME": unquote(parts.path.removeprefix("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "OPTIONS": options,
    }
