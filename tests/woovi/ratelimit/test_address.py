"""Where a request comes from, whatever it says of itself."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from woovi.ratelimit.address import Networks, client, counted, parse

PROXIES = Networks(["10.0.0.0/8", "fd00::/8", "127.0.0.1"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # no proxy of ours: it may write what it likes
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 8.8.8.8, 198.51.100.1", "198.51.100.1"),  # left of the first untrusted hop all is lies
        ("10.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.7", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "9" * 60_000, "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, ", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.2", "10.0.0.2"),
        ("::ffff:10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        ("", "198.51.100.1", "198.51.100.1"),  # a unix socket
        ("fe80::1%eth0", "", "fe80::1"),
    ],
)
def test_the_first_hop_from_the_right_that_is_no_proxy_of_ours(peer: str, forwarded: str, expected: str) -> None:
    assert str(client(peer, forwarded, PROXIES)) == expected


@given(st.lists(st.ip_addresses().map(str) | st.text(max_size=20), max_size=5))
def test_whatever_is_written_on_the_left_changes_nothing(lies: list[str]) -> None:
    lies = [lie.replace(",", "") for lie in lies]
    assert str(client("10.0.0.1", ",".join([*lies, "198.51.100.1", "10.1.1.1"]), PROXIES)) == "198.51.100.1"


def test_trusting_all_of_it_would_believe_the_lie() -> None:
    """The negative control: as where the leftmost is taken."""
    assert str(client("10.0.0.1", "1.1.1.1,198.51.100.1", Networks(["0.0.0.0/0"]))) == "1.1.1.1"


@given(st.integers(0, 2**64 - 1))
def test_a_subscriber_of_ipv6_is_one_whatever_address_it_takes(rest: int) -> None:
    address = ipaddress.IPv6Address((0x20010DB800010002 << 64) + rest)
    assert counted(address) == {"address": "2001:db8:1:2::/64", "network": "2001:db8:1::/48"}


def test_mapped_addresses_are_the_ones_they_map() -> None:
    assert parse("::ffff:198.51.100.1") == parse("198.51.100.1")
    assert counted(parse("::ffff:198.51.100.1")) == {"address": "198.51.100.1", "network": "198.51.100.0/24"}  # type: ignore[arg-type]


@pytest.mark.parametrize("network", ["::ffff:198.51.100.1", "::ffff:198.51.100.0/120", "::ffff:0:0/96", "198.51.100.1"])
def test_mapped_networks_are_the_ones_they_map(network: str) -> None:
    assert parse("::ffff:198.51.100.1") in Networks([network])
    assert parse("198.51.100.1") in Networks([network])
    assert parse("2001:db8::1") not in Networks([network])


@given(st.lists(st.ip_addresses(v=4).map(str), max_size=20), st.integers(0, 32), st.ip_addresses())
def test_networks_hold_what_they_hold(addresses: list[str], length: int, probe: ipaddress.IPv4Address) -> None:
    networks = [f"{address}/{length}" for address in addresses]
    expected = any(probe.version == 4 and probe in ipaddress.ip_network(each, strict=False) for each in networks)
    assert (probe in Networks(networks)) == expected


def test_nonsense_is_no_network() -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        Networks(["shop"])
