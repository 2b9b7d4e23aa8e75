"""One decision: how many, all or nothing, blocks, shadows, who shares a bucket."""

from __future__ import annotations

import time

import pytest

from tests.topologies.topologies import Topology
from tests.woovi.ratelimit.conftest import Take, ask
from woovi.ratelimit import Ask, Policy, Subject, block, give_back, local, take

HOUR = 3600


def keys(topology: Topology) -> list[bytes]:
    found: list[bytes] = []
    for server in topology.primaries():
        with server.ask() as client:
            found += client.keys("rl:*")
    return found


def test_as_many_as_the_bucket_holds(charge: Take) -> None:
    decisions = [charge(ask(3, HOUR)) for _ in range(5)]
    assert [d.allowed for d in decisions] == [True, True, True, False, False]
    assert [d.remaining for d in decisions] == [2, 1, 0, 0, 0]
    assert 1199 < decisions[3].retry_after <= 1200  # a third of an hour
    assert 3500 < decisions[2].reset_after <= HOUR
    assert decisions[3].violated == [ask(3, HOUR).policy]


def test_it_refills_evenly(charge: Take) -> None:
    """Not by windows: around a window's edge twice the limit would pass."""
    fast = ask(10, 20)
    assert [charge(fast).allowed for _ in range(12)].count(True) in range(10, 13)
    local.forget()
    wait = take(fast._replace(cost=10)).retry_after
    assert 0 < wait <= 20


def test_several_are_charged_together_or_not_at_all(charge: Take) -> None:
    small, large = ask(2, HOUR), ask(100, HOUR)
    for _ in range(5):
        charge(large, small)
    assert not charge(large, small).allowed
    local.forget()
    assert charge(large._replace(cost=0)).remaining == 98  # the refused ones took nothing


def test_subjects_of_different_slots_are_charged_together_too(charge: Take) -> None:
    """In a Cluster a later refusal gives back what the earlier ones took."""
    asks = [ask(100, HOUR, who=f"user {number}") for number in range(5)]
    narrow = ask(2, HOUR, who="narrow")
    for _ in range(4):
        charge(*asks, narrow)
    local.forget()
    assert [charge(each._replace(cost=0)).remaining for each in asks] == [98] * 5


def test_a_cost_may_be_more_than_one_and_is_given_back(charge: Take) -> None:
    assert charge(ask(10, HOUR, cost=7)).remaining == 3
    assert not charge(ask(10, HOUR, cost=7)).allowed
    give_back(ask(10, HOUR, cost=5))
    assert charge(ask(10, HOUR, cost=0)).remaining == 8
    give_back(ask(10, HOUR, cost=100))
    assert charge(ask(10, HOUR, cost=0)).remaining == 10  # never more than full


def test_a_full_bucket_leaves_no_key(charge: Take, topology: Topology) -> None:
    charge(ask(10, HOUR))
    assert keys(topology)
    give_back(ask(10, HOUR))
    assert not keys(topology)


def test_a_shadow_only_says_what_it_would_do(charge: Take) -> None:
    shadow, real = ask(1, HOUR, mode="shadow", name="shadow"), ask(10, HOUR)
    decisions = [charge(shadow, real) for _ in range(3)]
    assert all(d.allowed for d in decisions)
    assert [d.states[0].refused for d in decisions] == [False, True, True]
    assert decisions[2].violated == []
    assert decisions[2].remaining == 7  # of the real one, which is charged apart


def test_off_is_not_asked(charge: Take, topology: Topology) -> None:
    assert all(charge(ask(1, HOUR, mode="off")).allowed for _ in range(3))
    assert not keys(topology)


def test_nobody_shares_a_bucket_by_its_spelling(charge: Take) -> None:
    """Parts go in with their lengths. Joined they would be one: "pay" + "15" and "pay1" + "5"."""
    one = Ask(Policy("p", "pay", 1, HOUR), Subject("pay", "15"))
    two = Ask(Policy("p", "pay1", 1, HOUR), Subject("pay1", "5"))
    assert charge(one).allowed
    assert charge(two).allowed
    assert not charge(one).allowed


def test_redis_sees_no_address_and_no_email(charge: Take, topology: Topology) -> None:
    charge(ask(1, HOUR, who="ana@example.com", blocks=(60,)), ask(5, HOUR, who="203.0.113.9"))
    charge(ask(1, HOUR, who="ana@example.com", blocks=(60,)))
    text = b" ".join(keys(topology))
    assert text
    assert b"ana" not in text
    assert b"203" not in text


def block_of(ask_: Ask, topology: Topology) -> tuple[bytes | None, int]:
    with topology.server_of(ask_.key + ":b").ask() as client:
        return client.get(ask_.key + ":b"), client.pttl(ask_.key + ":b")  # type: ignore[return-value]


def end_block(ask_: Ask, topology: Topology) -> None:
    """As if its time had passed: the block, and the wait that stands in its bucket."""
    with topology.server_of(ask_.key).ask() as client:
        level = (client.get(ask_.key + ":b") or b"").partition(b":")[0]  # type: ignore[union-attr]
        client.set(ask_.key + ":b", level + b":1", px=1000)
        full = int(client.get(ask_.key) or 0)  # type: ignore[arg-type]
        client.set(ask_.key, full - length(level) * 1_000_000)
    local.forget()


def length(level: bytes) -> int:
    return (60, 300, 1800, 86_400)[min(int(level), 4) - 1]


def test_blocks_grow_and_refused_tries_do_not_prolong_them(charge: Take, topology: Topology) -> None:
    tried = ask(3, 1000 * HOUR, blocks=(60, 300, 1800, 86_400))
    for _ in range(3):
        assert charge(tried).allowed
    for expected in (60, 300, 1800, 86_400, 86_400):
        first = charge(tried)
        assert not first.allowed
        assert expected - 1 < first.retry_after <= expected
        before = block_of(tried, topology)[0]
        for _ in range(3):
            local.forget()
            again = charge(tried)
            assert not again.allowed
            assert again.retry_after <= first.retry_after
        assert block_of(tried, topology)[0] == before
        end_block(tried, topology)
        assert charge(tried).allowed  # one try is free when it ends
    assert block_of(tried, topology)[1] > 0


def test_a_block_is_remembered_for_a_day(charge: Take, topology: Topology) -> None:
    tried = ask(1, HOUR, blocks=(60, 300))
    charge(tried)
    charge(tried)
    assert 86_400_000 < block_of(tried, topology)[1] <= 86_460_000


def test_who_is_blocked_by_others_is_refused_everywhere_until_then(charge: Take, topology: Topology) -> None:
    asked = ask(5, HOUR, blocks=(1,))
    other = ask(5, HOUR, blocks=(1,), who="bia")
    block(asked, 300)
    block(asked, 10)  # a shorter one ends it no sooner
    local.forget()  # as another process, that was told nothing
    refused = charge(asked)
    assert not refused.allowed
    assert 299 < refused.retry_after <= 300
    assert charge(other).allowed
    local.forget()
    assert charge(asked._replace(cost=0)).allowed, "nothing was charged"


def test_who_is_blocked_may_still_be_given_back(charge: Take) -> None:
    tried = ask(1, HOUR, blocks=(60,))
    charge(tried)
    charge(tried)
    assert give_back(tried).allowed


@pytest.mark.parametrize("ahead", [600, 86_400])
def test_a_clock_that_went_back_costs_one_bucket_at_most(charge: Take, topology: Topology, ahead: int) -> None:
    late = ask(10, 60)
    charge(late)
    with topology.server_of(late.key).ask() as client:
        client.set(late.key, int(client.get(late.key)) + ahead * 1_000_000)  # type: ignore[arg-type]
    assert charge(late).retry_after <= 6
    assert charge(late._replace(cost=10)).retry_after <= 60


def test_who_used_up_a_slow_limit_waits_no_longer_than_the_faster_one_that_follows(charge: Take) -> None:
    """A refusal notes that the debt was cut, or every later try would find the hour anew, and cut it anew."""
    charge(ask(1, HOUR, name="slow"))
    faster = ask(1000, 1.0, name="slow")
    assert charge(faster._replace(cost=1000)).retry_after <= 1
    deadline = time.monotonic() + 20
    while not charge(faster).allowed:
        assert time.monotonic() < deadline, "it is refused for the former limit's hour"
        local.forget()
        time.sleep(0.05)


def test_a_limit_that_is_cut_keeps_the_share_that_was_used(charge: Take) -> None:
    charge(ask(1000, 60, cost=500, name="cut"))
    assert charge(ask(10, 60, cost=0, name="cut")).remaining == 5
    charge(ask(10, 60, cost=5, name="cut"))
    assert charge(ask(1000, 60, cost=0, name="cut")).remaining in range(20)
