"""Which addresses are on the public internet. Everything else may lead into our own network, or nowhere.

Sources: IANA's IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890, RFC 8190) and RFC 4291. Rejected:
`ipaddress.is_global`, which differs between Python's patch releases and holds NAT64 (`64:ff9b::7f00:1` is 127.0.0.1
behind a translator), 6to4, IPv4-compatible and site-local addresses for public.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

GLOBAL_UNICAST = ip_network(
    "2000::/3"
)  # all of IPv6 that is allocated; translated, mapped and local addresses are outside
NOT_PUBLIC: list[IPv4Network | IPv6Network] = [
    ip_network(each)
    for each in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",  # private use
        "100.64.0.0/10",  # carriers' shared space
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, where clouds serve instances' credentials
        "192.0.0.0/24",  # protocols, whole: its two global addresses are the nearest NAT, which is ours
        "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",  # benchmarks
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "2001::/23",  # protocols, whole: Teredo, benchmarks, hashes that are no places
        "2001:db8::/32", "3fff::/20",  # documentation
        "2002::/16",  # 6to4: holds an IPv4 address
    )
]  # fmt: skip


def is_public(address: str) -> bool:
    """Whether we may call `address`, an IPv4 or IPv6 address with or without a zone. Raises ValueError for none."""
    found = ip_address(address.partition("%")[0])
    if found.version == 6 and found not in GLOBAL_UNICAST:
        return False
    return not any(found in network for network in NOT_PUBLIC)
