"""The fence in the row: only the holder that claimed the row last may write it, whatever Redis says."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.db import models

from woovi.locks import metrics
from woovi.locks.errors import StaleFence
from woovi.locks.manager import RowLockManager


class FencedModel(models.Model):
    """A row that remembers the highest fence that claimed it.

    `save()` adds `WHERE lock_fence = <the fence that was read>`. If a later holder has claimed the row since, it changes
    nothing and raises StaleFence, with or without a lock around it. `QuerySet.update()` does not check the fence: use it
    for changes that one statement can decide (docs/locks.md).
    """

    lock_fence = models.BigIntegerField(default=0, editable=False)

    objects: ClassVar[RowLockManager[Self]] = RowLockManager()

    class Meta:
        abstract = True

    def _do_update(self, base_qs: Any, using: Any, pk_val: Any, values: Any, *rest: Any) -> Any:
        # Django's own place for a condition of an UPDATE; from __dict__, because a deferred fence must not be read anew.
        fence = self.__dict__.get("lock_fence")
        others = [value for value in values if value[0].attname != "lock_fence"]
        fenced = base_qs.filter(lock_fence=fence)
        updated = super()._do_update(fenced, using, pk_val, others, *rest)
        if not updated and (not self._state.adding or base_qs.filter(pk=pk_val).exists()):
            metrics.count([self._meta.label_lower], "stale")
            raise StaleFence(f"{self._meta.label_lower} {pk_val} was claimed after it was read: nothing was written")
        return updated
