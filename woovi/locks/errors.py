"""What can go wrong with a lock."""

from __future__ import annotations

from django.db import OperationalError


class LockNotAvailable(OperationalError):
    """Another holder has the row: now (`nowait`), or for all of `timeout`. Nothing was locked."""


class LocksUnavailable(LockNotAvailable):
    """Redis did not answer. If a row was locked all the same, its lease ends the lock."""


class LockLost(Exception):
    """The lease ended, or an operator forced the release, during the work."""


class StaleFence(Exception):
    """The row was claimed by a later holder. Nothing was written: read it again under a new lock."""
