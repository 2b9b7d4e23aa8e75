"""The four ways in which Redis is run, each on loopback: a Valkey, a Redis, Sentinels with a primary, a Cluster."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from typing import ClassVar

import redis
from redis.cluster import key_slot

from tests import redis_server
from tests.processes import free_port, wait_until
from tests.topologies.servers import Server, valkey

SLOTS = 16384
PRIMARY = "primary"  # the primary's name at its Sentinels


class Topology:
    """Servers and the URL that reaches them."""

    name: str
    url: str
    servers: list[Server]

    def primaries(self) -> list[Server]:
        """The servers that take writes now."""
        return self.servers

    def server_of(self, key: str) -> Server:
        """The server that holds `key` now."""
        return self.primaries()[0]

    def heal(self) -> None:
        """Everything runs, answers and is empty: what each test starts with."""
        for server in self.servers:
            if server.alive:
                server.thaw()
            else:
                server.start()
        for server in self.primaries():
            with server.ask() as client:
                client.flushall()
                client.script_flush()

    def stop(self) -> None:
        for server in self.servers:
            server.kill()
            if server.proxy:
                server.proxy.close()


class Standalone(Topology):
    def __init__(self, name: str, binary: str, folder: Path, proxied: bool = False) -> None:
        self.name = name
        self.servers = [Server(binary, folder, proxied=proxied)]
        self.url = f"redis://127.0.0.1:{self.servers[0].port}/0"


class Sentinels(Topology):
    """A primary, a replica and three Sentinels, of which two must agree."""

    name = "sentinel"
    # All in milliseconds. A Sentinel counts silence from the last answer before a link broke, so it pings far more often than
    # DOWN_AFTER, or a new link seems dead. It promotes no replica whose INFO is older than five pings, and asks for INFO once a
    # second during a failover, so it pings less than five times a second. FAILOVER_TIMEOUT is above that second too, and no
    # longer, as votes that were split are repeated after twice this time.
    DOWN_AFTER = 1000
    FAILOVER_TIMEOUT = 2000
    PERIODS: ClassVar = {"ping-period": 300, "info-period": 200, "publish-period": 200}  # else 1, 10 and 2 s

    def __init__(self, folder: Path, proxied: bool = False) -> None:
        binary, options = valkey(), {"repl-diskless-sync-delay": "0"}
        first = Server(binary, folder, proxied=proxied, **options)
        second = Server(binary, folder, proxied=proxied, replicaof=f"127.0.0.1 {first.port}", **options)
        self.data = [first, second]
        text = f"""sentinel monitor {PRIMARY} 127.0.0.1 {first.port} 2
sentinel down-after-milliseconds {PRIMARY} {self.DOWN_AFTER}
sentinel failover-timeout {PRIMARY} {self.FAILOVER_TIMEOUT}
"""
        self.sentinels = [Server(binary, folder, sentinel=text) for _ in range(3)]
        for each in self.sentinels:
            self._hurry(each)
        self.servers = [*self.data, *self.sentinels]
        self.url = f"redis+sentinel://{','.join(f'127.0.0.1:{each.port}' for each in self.sentinels)}/{PRIMARY}/0"
        wait_until(self._settled)

    def primaries(self) -> list[Server]:
        return [self.primary()]

    def primary(self) -> Server:
        with self.sentinels[0].ask() as client:
            _, port = client.sentinel_get_master_addr_by_name(PRIMARY)
        return next(each for each in self.data if each.port == port)

    def failover(self) -> Server:
        """Kill the primary and wait until the replica was promoted. Returns the dead one."""
        dead = self.primary()
        dead.kill()
        wait_until(lambda: self.primary() is not dead and self.role(self.primary()) == "master")
        return dead

    def hand_over(self) -> Server:
        """Let the Sentinels make the replica the primary while both live. Returns the old one, a replica now."""
        old = self.primary()
        wait_until(lambda: self._handed_over(old))
        return old

    def _handed_over(self, old: Server) -> bool:
        """Whether `old` is a replica. Asks for it again where it is still the primary: Sentinels may give up halfway."""
        with contextlib.suppress(redis.exceptions.RedisError):  # it has no replica yet, is at it, or closes connections
            if self.primary() is not old:
                return self.role(old) == "slave"
            with self.sentinels[0].ask() as client:
                client.sentinel_failover(PRIMARY)
        return False

    def heal(self) -> None:
        for server in self.servers:
            if server.alive:
                server.thaw()
        for sentinel in self.sentinels:
            if sentinel.was_frozen or not sentinel.alive:  # after 2 s without its clock it fails nothing over for 30 s
                sentinel.kill()
                sentinel.start()
                self._hurry(sentinel)
        primary = self.primary()
        for server in self.data:
            if not server.alive:
                # What was the primary comes back as a replica, as its Sentinels would make it in a while.
                server.options["replicaof"] = "no one" if server is primary else f"127.0.0.1 {primary.port}"
                server.start()
        wait_until(self._settled)
        super().heal()

    def _hurry(self, sentinel: Server) -> None:
        words = [word for period in self.PERIODS.items() for word in period]
        with sentinel.ask() as client:
            client.execute_command("SENTINEL", "DEBUG", *words)

    def _settled(self) -> bool:
        """One primary, which all Sentinels name, with its replica in line, and every Sentinel knows the others."""
        try:
            named = {self._named(each) for each in self.sentinels}
            roles = sorted(self.role(each) for each in self.data)
            primary = self.primary()
            with primary.ask() as client:
                online = client.info("replication").get("slave0", {}).get("state") == "online"
        except redis.exceptions.RedisError:
            return False
        return online and roles == ["master", "slave"] and named == {(primary.port, 1, 2)}

    def _named(self, sentinel: Server) -> tuple[int, int, int]:
        with sentinel.ask() as client:
            state, replicas = client.sentinel_master(PRIMARY), client.sentinel_slaves(PRIMARY)
        fine = not (state["is_odown"] or state["is_sdown"] or "failover_in_progress" in state["flags"])
        ready = [each for each in replicas if each["flags"] == "slave" and each["master-link-status"] == "ok"]
        return state["port"], int(fine and len(ready) == 1), state["num-other-sentinels"]

    def role(self, server: Server) -> str:
        with server.ask() as client:
            return str(client.info("replication")["role"])


class Cluster(Topology):
    """Three primaries that share the slots."""

    name = "cluster"

    def __init__(self, folder: Path, proxied: bool = False) -> None:
        options = {"cluster-enabled": "yes", "cluster-node-timeout": "2000", "cluster-require-full-coverage": "no"}
        # Without a port of its own the bus takes one 10,000 above, which may be no port at all.
        self.servers = [
            Server(valkey(), folder, proxied=proxied, **options, **{"cluster-port": str(free_port())}) for _ in range(3)
        ]
        bounds = [SLOTS * number // 3 for number in range(4)]
        self.ranges = [(low, high - 1) for low, high in itertools.pairwise(bounds)]
        first = self.servers[0]
        for server, (low, high) in zip(self.servers, self.ranges, strict=True):
            with server.ask() as client:
                client.execute_command("CLUSTER ADDSLOTSRANGE", low, high)
                client.execute_command("CLUSTER MEET", "127.0.0.1", first.port, first.options["cluster-port"])
        self.url = f"redis+cluster://{','.join(f'127.0.0.1:{each.port}' for each in self.servers)}"
        wait_until(self._settled)

    def server_of(self, key: str) -> Server:
        slot = key_slot(key.encode())
        return next(s for s, (low, high) in zip(self.servers, self.ranges, strict=True) if low <= slot <= high)

    def heal(self) -> None:
        super().heal()
        wait_until(self._settled)

    def _settled(self) -> bool:
        try:
            return all(self._knows_all(server) for server in self.servers)
        except redis.exceptions.RedisError:
            return False

    def _knows_all(self, server: Server) -> bool:
        with server.ask() as client:
            info = client.execute_command("CLUSTER INFO")
        text = info if isinstance(info, dict) else dict(line.split(":", 1) for line in info.decode().split())
        return (
            text["cluster_state"] == "ok"
            and text["cluster_slots_ok"] == str(SLOTS)
            and text["cluster_known_nodes"] == "3"
        )


def make(name: str, folder: Path, proxied: bool = False) -> Topology:
    """The topology of that name, running, with a proxy before each server that keeps data where that is wanted.

    Raises AssertionError where its server is not to be had.
    """
    if name == "sentinel":
        return Sentinels(folder, proxied)
    if name == "cluster":
        return Cluster(folder, proxied)
    if name == "valkey":
        return Standalone(name, valkey(), folder, proxied)
    binary = redis_server.find()
    assert binary, redis_server.MISSING
    return Standalone(name, binary, folder, proxied)


NAMES = ("valkey", "redis", "sentinel", "cluster")
