"""A request's client address: the last hop of X-Forwarded-For that is not a proxy of ours.

The hops before it were written by the sender and prove nothing. An IPv6 subscriber can choose addresses within a /64, so
that is counted as one; ::ffff:1.2.3.4 is counted as 1.2.3.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from django.conf import settings

IP = IPv4Address | IPv6Address
LONGEST = 64  # letters of an address, its port and brackets; what is longer is none, and is not kept


class Networks:
    """A set of networks in CIDR notation: one look-up a prefix length that occurs, however many networks there are.

    Raises ValueError for what is no network.
    """

    def __init__(self, networks: Iterable[str | IPv4Network | IPv6Network] = ()) -> None:
        self._prefixes: dict[tuple[int, int], set[int]] = {}
        for each in networks:
            network = _unmapped(ip_network(each, strict=False))
            shift = network.max_prefixlen - network.prefixlen
            prefixes = self._prefixes.setdefault((network.version, shift), set())
            prefixes.add(int(network.network_address) >> shift)

    def __contains__(self, address: object) -> bool:
        if not self._prefixes or not isinstance(address, IPv4Address | IPv6Address):
            return False
        number, version = int(address), address.version
        return any(v == version and number >> shift in found for (v, shift), found in self._prefixes.items())


def _unmapped(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    """::ffff:1.2.3.0/120 as 1.2.3.0/24, since addresses are compared so."""
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    return ip_network((mapped, network.prefixlen - 96)) if mapped and network.prefixlen >= 96 else network


@lru_cache(maxsize=10_000)
def parse(text: str) -> IP | None:
    """The address in `1.2.3.4`, `1.2.3.4:5678`, `::1`, `[::1]:80` or `fe80::1%eth0`. None where it is none."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def client(peer: str, forwarded: str, trusted: Networks) -> IP | None:
    """The client's address.

    Args:
        peer: who is connected to us; empty for a unix socket, whose other end is a proxy of this machine.
        forwarded: X-Forwarded-For, as it came.
        trusted: the proxies that append to it.
    """
    current = parse(peer)
    hops = forwarded.split(",") if forwarded else []
    while hops and (current is None or current in trusted):
        hop = parse(hops.pop().strip()[:LONGEST])
        if hop is None:  # our own proxy would not write that: what is known so far counts
            break
        current = hop
    return current


@lru_cache(maxsize=10_000)
def counted(address: IP) -> dict[str, str]:
    """Values of the kinds "address" (IPv4, or /64 of IPv6) and "network" (/24, /48)."""
    if address.version == 4:
        return {"address": str(address), "network": str(ip_network(f"{address}/24", strict=False))}
    return {
        "address": str(ip_network(f"{address}/64", strict=False)),
        "network": str(ip_network(f"{address}/48", strict=False)),
    }


def sender(scope: Mapping[str, Any]) -> IP | None:
    """The client's address of an ASGI scope."""
    peer = (scope.get("client") or ("",))[0]
    forwarded = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
    return client(peer, forwarded.decode("latin-1"), trusted())


def trusted() -> Networks:
    """TRUSTED_PROXIES of the settings."""
    return _networks(tuple(settings.TRUSTED_PROXIES))


_networks = lru_cache(maxsize=1)(Networks)
