"""Row locks that money can trust: Redis keeps waiters off the database, a fence in the database decides who won.

    class Account(FencedModel):
        objects = RowLockManager()

    with Account.objects.lock_for_update(pk__in=[a, b]) as lock:
        lock[a].balance -= 10
        lock[a].save()

`docs/locks.md` says when to use what. `Lock` alone locks names that are not rows.
"""

from woovi.locks.errors import LockLost, LockNotAvailable, LocksUnavailable, StaleFence
from woovi.locks.lock import Lock
from woovi.locks.manager import RowLockManager, RowLockManagerMixin, SplitLock
from woovi.locks.models import FencedModel

__all__ = [
    "FencedModel",
    "Lock",
    "LockLost",
    "LockNotAvailable",
    "LocksUnavailable",
    "RowLockManager",
    "RowLockManagerMixin",
    "SplitLock",
    "StaleFence",
]
