"""Webhooks never go where IANA's registries say that the public internet is not."""

from __future__ import annotations

import csv
import socket
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from tests.receiver import Receiver
from woovi.http import outgoing
from woovi.http.public_address import is_public

Network = IPv4Network | IPv6Network


def registry(name: str) -> list[tuple[Network, bool]]:
    lines = (Path(__file__).parent / "registries" / name).read_text().splitlines()
    return [
        (ip_network(row["block"]), row["globally reachable"] == "True")
        for row in csv.DictReader(line for line in lines if not line.startswith("#"))
    ]


ENTRIES = registry("ipv4.csv") + registry("ipv6.csv")
REFUSED = [network for network, reachable in ENTRIES if not reachable] + [
    ip_network(each)
    for each in (
        "64:ff9b::/96",  # NAT64: reachable, but what it reaches is an IPv4 address of anybody's, ours too
        "::/96",  # IPv4-compatible (RFC 4291)
        "fec0::/10",  # site-local (RFC 3879)
        "ff00::/8", "224.0.0.0/4",  # multicast
        "4000::/3", "e000::/4", "200::/7",  # not given to anybody
    )
]  # fmt: skip


def samples(network: Network) -> set[str]:
    return {str(network[0]), str(network[network.num_addresses // 2]), str(network[-1])}


def neighbours(network: Network) -> list[str]:
    """The addresses before and after the block, where they are anybody's public ones."""
    kind = type(network[0])
    numbers = (int(network[0]) - 1, int(network[-1]) + 1)
    found = [kind(number) for number in numbers if 0 <= number < 2**network.max_prefixlen]
    given = [each for each in found if each.version == 4 or each in ip_network("2000::/3")]
    return [str(each) for each in given if not any(each in refused for refused in REFUSED)]


@pytest.mark.parametrize("network", REFUSED, ids=str)
def test_what_is_not_globally_reachable_is_refused(network: Network) -> None:
    assert not {address for address in samples(network) if is_public(address)}


@pytest.mark.parametrize("network", REFUSED, ids=str)
def test_its_neighbours_are_not(network: Network) -> None:
    assert [address for address in neighbours(network) if not is_public(address)] == []


def test_most_neighbours_are_looked_at() -> None:
    assert sum(len(neighbours(network)) for network in REFUSED) > 25


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "200.160.2.3", "192.31.196.1", "192.52.193.1", "192.175.48.1", "2620:4f:8000::1", "2606:4700::1111", "2001:200::1", "2800:3f0::1"],
)  # fmt: skip
def test_public_addresses_are_called(address: str) -> None:
    assert is_public(address)


def inside(v4: str) -> list[str]:
    """An IPv4 address in every clothing that a translator, a tunnel or a stack takes off."""
    high, low = divmod(int(ip_address(v4)), 2**16)
    tail = f"{high:x}:{low:x}"
    teredo = f"{high ^ 0xFFFF:x}:{low ^ 0xFFFF:x}"
    return [f"::ffff:{tail}", f"::{tail}", f"64:ff9b::{tail}", f"64:ff9b:1::{tail}", f"2002:{tail}::1", f"2001::{teredo}", f"::ffff:0:{tail}"]  # fmt: skip


@pytest.mark.parametrize("address", [*inside("127.0.0.1"), *inside("169.254.169.254"), *inside("10.1.2.3"), "fe80::1%eth0", "fec0::1"])  # fmt: skip
def test_no_clothing_hides_a_private_address(address: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WEBHOOK_ALLOW_PRIVATE = False
    found = [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, 0, 0, 0))]
    monkeypatch.setattr(outgoing.socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(outgoing.Refused):
        outgoing.check_url("http://shop.example/")


def test_one_private_address_among_public_ones_is_enough(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WEBHOOK_ALLOW_PRIVATE = False
    found = [(2, 1, 6, "", (address, 0)) for address in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(outgoing.socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(outgoing.Refused):
        outgoing.check_url("http://shop.example/")


def test_the_checked_address_is_the_one_that_is_called(
    receiver: Receiver, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: a name is looked up once a connection, and what was looked up is what is connected to."""
    port = int(receiver.url.rpartition(":")[2].partition("/")[0])
    asked: list[str] = []
    settings.WEBHOOK_ALLOW_PRIVATE = False
    monkeypatch.setattr(outgoing, "is_public", lambda address: address == "127.0.0.1")
    real = socket.getaddrinfo

    def names(host: str, *rest: Any, **more: Any) -> Any:
        """The receiver's address to the first who asks, and a private one afterwards."""
        if host != "rebinding.example":
            return real(host, *rest, **more)
        asked.append(host)
        return real("127.0.0.1" if len(asked) == 1 else "10.0.0.1", *rest, **more)

    monkeypatch.setattr(outgoing.socket, "getaddrinfo", names)
    assert outgoing.post(f"http://rebinding.example:{port}/", b"{}", {}, 5).accepted
    assert asked == ["rebinding.example"]
