"""Every form of a role's address, and every refusal in one line that names the variable."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from woovi import redis
from woovi.local import embedded
from woovi.redis.address import Address, parse

ACCEPTED = {
    "redis://host": Address("standalone", (("host", 6379),)),
    "valkey://host:7000/3": Address("standalone", (("host", 7000),), db=3),
    "redis://host?db=4": Address("standalone", (("host", 6379),), db=4),
    "redis://[::1]:7000": Address("standalone", (("::1", 7000),)),
    "redis://user:p%40ss@host": Address("standalone", (("host", 6379),), username="user", password="p@ss"),
    "redis://:word@host": Address("standalone", (("host", 6379),), password="word"),
    "rediss://host": Address("standalone", (("host", 6379),), tls=True),
    "valkeys://host?ssl_ca_certs=/ca.pem&ssl_cert_reqs=none": Address(
        "standalone",
        (("host", 6379),),
        tls=True,
        tls_options=(("ssl_ca_certs", "/ca.pem"), ("ssl_cert_reqs", "none")),
    ),
    "unix:///run/valkey.sock": Address("standalone", path="/run/valkey.sock"),
    "unix://:word@/run/a%20b.sock?db=2": Address("standalone", path="/run/a b.sock", db=2, password="word"),
    "redis+sentinel://a,b:7/primary": Address("sentinel", (("a", 26379), ("b", 7)), service="primary"),
    "valkey+sentinel://:word@a/primary/5?sentinel_password=other": Address(
        "sentinel", (("a", 26379),), service="primary", db=5, password="word", sentinel_password="other"
    ),
    "rediss+sentinel://a/primary": Address("sentinel", (("a", 26379),), service="primary", tls=True),
    "redis+cluster://a,b:7": Address("cluster", (("a", 6379), ("b", 7))),
    "valkeys+cluster://user:word@a": Address(
        "cluster", (("a", 6379),), username="user", password="word", tls=True
    ),
}  # fmt: skip

REFUSED = {
    "": "nothing:// is none of",
    "host:6379": "host:// is none of",
    "http://host": "http:// is none of",
    "redis+shards://host": "redis[+]shards:// is none of",
    "unix+cluster:///run/valkey.sock": "is none of",
    "redis://": "names no host",
    "redis://host:port": "'host:port' is no host:port",
    "redis://host:99999": "is no host:port",
    "redis://host/one": "database must be a number",
    "redis://host/0/1": "at most one database",
    "redis://host/0?db=1": "at most one database",
    "redis://a,b": "redis[+]sentinel:// or redis[+]cluster://",
    "redis://host?timeout=5": "timeout is no option",
    "redis://host?ssl_cert_reqs=none": "ssl_cert_reqs needs rediss://",
    "redis://:pass#word@host": "write it as %23",
    "unix://run/valkey.sock": "whole path",
    "unix://": "whole path",
    "redis+sentinel://a,b": "primary's name",
    "redis+sentinel://a/primary/x": "database must be a number",
    "redis+sentinel://a,,b/primary": "names no host",
    "redis+cluster://a/0": "has one database",
    "redis+cluster://a?db=0": "db is no option",
    "redis://host ": "has a space",
    "redis://host\n": "line break",
    "redis:// host": "has a space",
    "redis://host/ 0": "has a space",
    "redis://${REDIS_HOST}": "is no name of a host",
    "redis://<host>:6379": "is no name of a host",
    "redis://password@host": "a user and no password",
    "redis://user:@host": "a user and no password",
    "redis://:pass/word@host": "behind the host: write / and [?]",
    "redis://:6379/pass@host/0": "behind the host",
    "redis://:pass?word@host": "behind the host",
}


@pytest.mark.parametrize(("url", "address"), ACCEPTED.items())
def test_accepted(url: str, address: Address) -> None:
    assert parse("REDIS_URL", url) == address


@pytest.mark.parametrize(("url", "problem"), REFUSED.items())
def test_refused(url: str, problem: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=problem) as refusal:
        parse("REDIS_LOCKS_URL", url)
    text = str(refusal.value)
    assert text.startswith("REDIS_LOCKS_URL: ")
    assert "\n" not in text


@pytest.mark.parametrize("url", [
    "redis://me:secret@host:port", "redis://:secret@a,b", "redis://:secret@host/x",
    "redis://:secret/secret@host", "redis://:secret?secret@host", "redis://:12/secret@host", "redis://secret@host",
])  # fmt: skip
def test_no_refusal_shows_the_password(url: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refusal:
        parse("REDIS_URL", url)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("url", [url for url in ACCEPTED if "@" in url])
def test_no_address_shows_its_password(url: str) -> None:
    address = parse("REDIS_URL", url)
    assert address.password not in f"{address} {address!r}".replace(address.username or "-", "")


@pytest.mark.parametrize(("url", "address"), [(u, a) for u, a in ACCEPTED.items() if a.topology == "standalone"])
def test_the_url_for_others_means_the_same(url: str, address: Address) -> None:
    assert parse("REDIS_URL", address.url) == address


def test_one_variable_moves_one_role(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://all")
    (tmp_path / "url").write_text("redis://file\n")
    monkeypatch.setenv("REDIS_LIMITS_URL_FILE", str(tmp_path / "url"))
    monkeypatch.setenv("REDIS_LOCKS_URL", "redis+cluster://one")
    places = {role: str(redis.address(role)) for role in redis.ROLES}
    assert places == {
        "cache": "redis://all:6379/0",
        "locks": "redis+cluster://one:6379",
        "limits": "redis://file:6379/0",
        "broker": "redis://all:6379/0",
        "channels": "redis://all:6379/0",
        "django": "redis://all:6379/0",
    }


def test_the_embedded_valkey_serves_where_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REDIS_URL", *(f"REDIS_{role.upper()}_URL" for role in redis.ROLES)):
        monkeypatch.delenv(name, raising=False)
    assert redis.address("locks").url == embedded.redis_url()
