"""The address of a role: which servers, reached how. Parsed once, from a URL that is refused when it makes no sense.

redis://user:password@host:6379/0            rediss:// with TLS; valkey:// and valkeys:// mean the same
unix:///run/valkey.sock?db=0
redis+sentinel://:password@h1:26379,h2/primary/0?sentinel_password=...
redis+cluster://h1:6379,h2
embedded://
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from django.core.exceptions import ImproperlyConfigured

from woovi.local import embedded

Topology = Literal["standalone", "sentinel", "cluster"]
Host = tuple[str, int]

_HOST = re.compile(r"[A-Za-z0-9._:%-]+")
TLS_OPTIONS = {"ssl_cert_reqs", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile"}
OPTIONS: dict[Topology, set[str]] = {
    "standalone": {"db", *TLS_OPTIONS},
    "sentinel": {"sentinel_username", "sentinel_password", *TLS_OPTIONS},
    "cluster": TLS_OPTIONS,
}


@dataclass(frozen=True)
class Address:
    """Where a role is served. `hosts` are the Sentinels' or the Cluster's; a unix socket has a `path` and no host."""

    topology: Topology
    hosts: tuple[Host, ...] = ()
    path: str = ""
    service: str = ""  # the primary's name at its Sentinels
    db: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    sentinel_username: str = ""
    sentinel_password: str = field(default="", repr=False)
    tls: bool = False
    tls_options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """For people and logs: without user, password and options."""
        scheme = ("rediss" if self.tls else "redis") + ("" if self.topology == "standalone" else f"+{self.topology}")
        if self.path:
            return f"unix://{self.path}?db={self.db}"
        tail = {"standalone": f"/{self.db}", "sentinel": f"/{self.service}/{self.db}", "cluster": ""}[self.topology]
        return f"{scheme}://{_hosts(self.hosts)}{tail}"

    @property
    def url(self) -> str:
        """The address of one server as redis-py and kombu read it, password and all."""
        user = f"{quote(self.username, safe='')}:{quote(self.password, safe='')}@" if self.password else ""
        if self.path:
            return f"unix://{user}{quote(self.path)}?db={self.db}"
        scheme = "rediss" if self.tls else "redis"
        options = f"?{urlencode(self.tls_options)}" if self.tls_options else ""
        return f"{scheme}://{user}{_hosts(self.hosts)}/{self.db}{options}"

    @property
    def login(self) -> dict[str, Any]:
        """What a connection to a server needs besides its place, as redis-py names it."""
        found = {"username": self.username, "password": self.password, **dict(self.tls_options)}
        return {name: value for name, value in found.items() if value}


def parse(variable: str, url: str) -> Address:
    """The address in `url`. Raises ImproperlyConfigured naming `variable`, and never showing the password."""
    try:
        return _parse(embedded.redis_url() if url == "embedded://" else url)
    except ValueError as error:
        raise ImproperlyConfigured(f"{variable}: {error}") from None


def _scheme(name: str) -> tuple[str, Topology]:
    """The base ("redis", "rediss" or "unix") and the topology that a URL's scheme names."""
    base, _, kind = name.replace("valkey", "redis", 1).partition("+")
    if (base, kind) != ("unix", "") and (base not in {"redis", "rediss"} or kind not in {"", "sentinel", "cluster"}):
        raise ValueError(
            f"{name or 'nothing'}:// is none of redis:// rediss:// unix:// valkey:// valkeys:// "
            "redis+sentinel:// redis+cluster:// embedded://"
        )
    return base, "standalone" if not kind else "sentinel" if kind == "sentinel" else "cluster"


def _parse(url: str) -> Address:
    if re.search(r"\s", url):
        raise ValueError("has a space or a line break")
    parts = urlsplit(url)
    base, topology = _scheme(parts.scheme)
    if parts.fragment:
        raise ValueError("has a '#': write it as %23 in a password")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if any("@" in text for text in (parts.path, *options)):  # what follows is not shown: it is of a password
        raise ValueError("has an '@' behind the host: write / and ? as %2F and %3F in a password")
    if unknown := options.keys() - OPTIONS[topology]:
        raise ValueError(f"{', '.join(sorted(unknown))} is no option of {parts.scheme}://")
    user, _, places = parts.netloc.rpartition("@")
    username, _, password = user.partition(":")
    if username and not password:
        raise ValueError("has a user and no password: without a user it is redis://:PASSWORD@host")
    path = [unquote(step) for step in parts.path.split("/")[1:] if step]
    tls = tuple((name, options[name]) for name in sorted(options.keys() & TLS_OPTIONS))
    if tls and base != "rediss":
        raise ValueError(f"{tls[0][0]} needs rediss://")

    known: dict[str, Any] = {
        "username": unquote(username),
        "password": unquote(password),
        "sentinel_username": options.get("sentinel_username", ""),
        "sentinel_password": options.get("sentinel_password", ""),
        "tls": base == "rediss",
        "tls_options": tls,
    }
    if base == "unix":
        if places or not path:
            raise ValueError("needs the socket's whole path: unix:///run/valkey.sock")
        return Address("standalone", path=unquote(parts.path), db=_number(options.get("db", "0")), **known)
    hosts = tuple(_host(place, 26379 if topology == "sentinel" else 6379) for place in places.split(","))
    if topology == "cluster":
        if path:
            raise ValueError("a Cluster has one database: leave out what follows the hosts")
        return Address("cluster", hosts, **known)
    if topology == "sentinel":
        if not 1 <= len(path) <= 2:
            raise ValueError("needs the primary's name at its Sentinels: redis+sentinel://h1,h2/NAME/0")
        return Address("sentinel", hosts, service=path[0], db=_number(path[1] if len(path) > 1 else "0"), **known)
    if len(hosts) > 1:
        raise ValueError("names several hosts: that is redis+sentinel:// or redis+cluster://")
    if len(path) > 1 or (path and "db" in options):
        raise ValueError("needs at most one database after the host")
    return Address("standalone", hosts, db=_number(path[0] if path else options.get("db", "0")), **known)


def _host(place: str, port: int) -> Host:
    try:
        parts = urlsplit(f"//{place}")
        host, port = parts.hostname or "", parts.port or port
    except ValueError:
        raise ValueError(f"{place!r} is no host:port") from None
    if not host:
        raise ValueError("names no host")
    if not _HOST.fullmatch(host):
        raise ValueError(f"{host!r} is no name of a host")
    return host, port


def _hosts(hosts: tuple[Host, ...]) -> str:
    return ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in hosts)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"the database must be a number, not {text!r}")
    return int(text)
