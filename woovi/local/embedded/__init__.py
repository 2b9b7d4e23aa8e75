"""PostgreSQL and Valkey from wheels, where no URL is given.

    ensure()        # starts what is missing, and keeps it up for as long as this process lives
    database_url()  # where PostgreSQL listens
    redis_url()     # where Valkey listens

All processes of one data directory share one keeper (`woovi.local.embedded.keeper`), a small process that owns both
servers. A user of the engines holds a shared `flock` on `users.lock`; the kernel drops it however the process
dies, so the keeper knows without counting, pid files or heartbeats when the last one has gone, and stops.
"""

from woovi.local.embedded.client import EmbeddedUnavailable, ensure, release
from woovi.local.embedded.layout import data_dir, database_url, in_place, in_use, redis_url

__all__ = ["EmbeddedUnavailable", "data_dir", "database_url", "ensure", "in_place", "in_use", "redis_url", "release"]
