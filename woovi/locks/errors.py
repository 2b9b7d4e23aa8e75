"""What can go wrong with a lock."""

from __future__ import annotations

from django.db import OperationalError


class LockNotAvailable(OperationalError):
    """Somebody else holds the row: at once (`nowait`), or for all of `timeout`. Nothing was taken."""


class LocksUnavailable(LockNotAvailable):
    """Redis did not answer. Nothing is known to be taken; what may have been taken ends with its lease."""


class LockLost(Exception):
    """The lease ended, or somebody forced the release, while the work was under way."""


class StaleFence(Exception):
    """The row was claimed by a later holder. Nothing was written: read it again under a new lock."""
