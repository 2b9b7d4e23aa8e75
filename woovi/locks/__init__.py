"""Row locks: Redis keeps waiters off the database, and a fence in the row decides who may write.

    class Account(FencedModel):
        objects = RowLockManager()

    with Account.objects.lock_for_update(pk__in=[a, b]) as lock:
        lock[a].balance -= 10
        lock[a].save()

`docs/locks.md` says when to use which. `Lock` by itself locks names that are not rows.
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
