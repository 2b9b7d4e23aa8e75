"""The settings of Django's cache and of Celery's broker, made from the addresses of their roles.

Django's cache and Celery do not work on a Cluster, which is refused at the start: django-redis has no Cluster client,
and kombu's queues and their index lie in different slots.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import redis
from django.core.exceptions import ImproperlyConfigured

from woovi.redis.address import Address
from woovi.redis.clients import client
from woovi.redis.roles import POLICIES, Role, address, client_name, limits, variable


def django_cache() -> dict[str, Any]:
    """CACHES["default"]: django-redis on our client, so it shares the pool, the time-outs and the breaker."""
    place = _no_cluster("django", "Django's cache")
    return {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": str(place),
        "KEY_PREFIX": "django",
        "OPTIONS": {"CONNECTION_FACTORY": "woovi.redis.derived.CacheConnections"},
    }


class CacheConnections:
    """django-redis's connection factory."""

    def __init__(self, options: dict[str, Any]) -> None:
        pass

    def connect(self, url: str) -> redis.Redis:
        return client("django")

    def disconnect(self, connection: redis.Redis) -> None:
        connection.connection_pool.disconnect()


def celery_broker() -> dict[str, Any]:
    """Celery's settings of its broker."""
    place = _no_cluster("broker", "Celery's broker")
    options: dict[str, Any] = {
        "socket_timeout": POLICIES["broker"].timeout,
        "socket_connect_timeout": POLICIES["broker"].timeout,
        "client_name": client_name("broker"),
        # Seconds: kombu leaves a primary that owes an answer for so long. Its 25 would leave a worker deaf for 50.
        "health_check_interval": 1,
        # No copy of each message in Redis until it is acknowledged: messages are hints. A full Redis refuses the copy of
        # what it has handed out already, so a worker that wants one loses all that it takes there.
        "ack_emulation": False,
    }
    if place.topology == "sentinel":
        options |= {"master_name": place.service, "sentinel_kwargs": _sentinel(place)}
    found = {"broker_url": kombu_url(place), "broker_transport_options": options}
    if place.tls and place.topology == "sentinel":
        found["broker_use_ssl"] = dict(place.tls_options) or {"ssl_cert_reqs": "required"}
    return found


def kombu_url(place: Address) -> str:
    """The address as kombu spells it."""
    user = f"{quote(place.username, safe='')}:{quote(place.password, safe='')}@" if place.password else ""
    if place.path:
        return f"redis+socket://{user}{quote(place.path)}?virtual_host={place.db}"
    if place.topology == "sentinel":
        return ";".join(f"sentinel://{user}{host}:{port}/{place.db}" for host, port in place.hosts)
    if place.tls and "ssl_cert_reqs" not in dict(place.tls_options):
        return f"{place.url}{'&' if place.tls_options else '?'}{urlencode({'ssl_cert_reqs': 'required'})}"
    return place.url


def _sentinel(place: Address) -> dict[str, Any]:
    """What a connection to a Sentinel is told."""
    login = {"username": place.sentinel_username, "password": place.sentinel_password}
    known = {name: value for name, value in login.items() if value} | ({"ssl": True} if place.tls else {})
    return {**limits("broker"), **known}


def _no_cluster(role: Role, what: str) -> Address:
    place = address(role)
    if place.topology == "cluster":
        raise ImproperlyConfigured(
            f"{variable(role)}: {what} does not work on a Cluster: "
            f"point REDIS_{role.upper()}_URL to a server or to Sentinels"
        )
    return place
