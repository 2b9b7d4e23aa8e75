"""Each problem is found where it is and not where it is not, by the checks and by the doctor, with its mend."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.checks import registry
from django.core.management import CommandError, call_command

from tests.topologies.topologies import Cluster, Sentinels, Standalone, Topology
from woovi import redis
from woovi.redis import diagnosis
from woovi.redis.diagnosis import Findings, examine


def numbers(found: Findings) -> list[int]:
    return [each.number for each in found.problems]


@pytest.mark.parametrize("role", ["broker", "channels"])  # whose time-outs no busy machine exceeds
def test_nothing_is_wrong(topology: Topology, role: redis.Role) -> None:
    found = examine(role)
    assert numbers(found) == []
    assert found.topology == ("standalone" if topology.name in {"valkey", "redis"} else topology.name)
    assert found.server == ("redis" if topology.name == "redis" else "valkey")
    assert (found.policy, found.memory > 0, 0 < found.round_trip < 1000, abs(found.clock) < 5) == (
        "noeviction",
        True,
        True,
        True,
    )


def test_unreachable(topology: Topology) -> None:
    for server in topology.servers:
        server.kill()
    found = examine("broker")
    assert numbers(found) == [1]
    assert found.problems[0].mend == "Start it, or correct REDIS_URL."


@pytest.mark.parametrize(("server", "version"), [("valkey", "7.1.9"), ("redis", "6.2.14")])
def test_too_old(valkey: Standalone, monkeypatch: pytest.MonkeyPatch, server: str, version: str) -> None:
    """The servers at hand are new enough, so what this one says of itself is rewritten."""
    info = dict(redis.client("broker").info())
    info.pop("valkey_version")
    said = {**info, "redis_version": version, **({"valkey_version": version} if server == "valkey" else {})}
    monkeypatch.setattr(diagnosis, "_info", lambda _: [said])
    assert numbers(examine("broker")) == [2]


@pytest.mark.parametrize(("role", "expected"), [("locks", [3]), ("limits", [3]), ("broker", [3]), ("cache", [])])
def test_evicting(valkey: Standalone, role: redis.Role, expected: list[int]) -> None:
    with valkey.servers[0].ask() as direct:
        direct.config_set("maxmemory-policy", "allkeys-lru")
        try:
            assert numbers(examine(role)) == expected
        finally:
            direct.config_set("maxmemory-policy", "noeviction")


@pytest.mark.parametrize(
    ("role", "used", "expected"), [("broker", 0.81, [7]), ("locks", 1.2, [7]), ("limits", 0.5, []), ("cache", 1.2, [])]
)
def test_nearly_full(topology: Topology, role: redis.Role, used: float, expected: list[int]) -> None:
    """One node of a Cluster is enough: keys go where they must."""
    with topology.primaries()[-1].ask() as direct:
        direct.config_set("maxmemory", int(direct.info("memory")["used_memory"] / used))
        try:
            assert [each for each in numbers(examine(role)) if each != 6] == expected
        finally:
            direct.config_set("maxmemory", 0)


def test_a_cluster_behind_a_standalone_url(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    moved(monkeypatch, f"redis://127.0.0.1:{cluster.servers[0].port}")
    assert numbers(examine("broker")) == [4]
    assert "redis+cluster://" in examine("broker").problems[0].mend


def test_a_server_behind_a_cluster_url(valkey: Standalone, monkeypatch: pytest.MonkeyPatch) -> None:
    moved(monkeypatch, f"redis+cluster://127.0.0.1:{valkey.servers[0].port}")
    assert numbers(examine("broker")) == [1]
    assert "Cluster mode is not enabled" in examine("broker").problems[0].text


def test_a_sentinel_behind_a_standalone_url(sentinel: Sentinels, monkeypatch: pytest.MonkeyPatch) -> None:
    moved(monkeypatch, f"redis://127.0.0.1:{sentinel.sentinels[0].port}")
    assert numbers(examine("cache")) == [4]


def test_a_replica_behind_a_standalone_url(sentinel: Sentinels, monkeypatch: pytest.MonkeyPatch) -> None:
    replica = next(each for each in sentinel.data if each is not sentinel.primary())
    moved(monkeypatch, f"redis://127.0.0.1:{replica.port}")
    assert numbers(examine("broker")) == [4]


def test_an_unknown_name_at_the_sentinels(sentinel: Sentinels, monkeypatch: pytest.MonkeyPatch) -> None:
    moved(monkeypatch, sentinel.url.replace("/primary/", "/other/"))
    assert numbers(examine("broker")) == [1]


def test_clocks_apart_and_slow(valkey: Standalone, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(found: Findings, _: object) -> None:
        found.clock, found.round_trip = -2.0, 600.0

    monkeypatch.setattr(diagnosis, "_measure", measure)
    assert numbers(examine("broker")) == [5, 6]


def test_the_checks_say_it_with_a_hint_and_only_when_deploying(valkey: Standalone) -> None:
    assert "redis" not in registry.registry.tags_available()
    call_command("check", "--deploy", tags=["redis"])
    valkey.servers[0].kill()
    with pytest.raises(CommandError) as refusal:
        call_command("check", "--deploy", tags=["redis"])
    assert "redis.E001" in str(refusal.value)
    assert "HINT: Start it, or correct REDIS_URL." in str(refusal.value)


def test_the_doctor(valkey: Standalone) -> None:
    out = StringIO()
    call_command("redis_doctor", stdout=out)
    lines = out.getvalue().splitlines()
    assert lines[0] == f"passed  cache    standalone  redis://127.0.0.1:{valkey.servers[0].port}/0"
    assert lines[1].strip().startswith("valkey 9")
    assert lines[-1] == "6 passed, 0 failed"


def test_the_doctor_finds_what_is_wrong(valkey: Standalone) -> None:
    with valkey.servers[0].ask() as direct:
        direct.config_set("maxmemory-policy", "allkeys-lru")
        out = StringIO()
        try:
            with pytest.raises(SystemExit) as end:
                call_command("redis_doctor", "--json", stdout=out)
        finally:
            direct.config_set("maxmemory-policy", "noeviction")
    assert end.value.code == 1
    answer = json.loads(out.getvalue())
    assert (answer["passed"], answer["failed"]) == (3, 3)
    wrong = [each["role"] for each in answer["roles"] if each["problems"]]
    assert wrong == ["locks", "limits", "broker"]
    assert "noeviction" in answer["roles"][1]["problems"][0]["mend"]


def moved(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    redis.close()
