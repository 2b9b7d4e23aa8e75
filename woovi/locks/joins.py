"""`of=("self", "owner")`: the rows that foreign keys point to are locked, claimed and read with their own."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from django.db import models

from woovi.locks import fallback
from woovi.locks.errors import LockNotAvailable
from woovi.locks.lock import Lock
from woovi.locks.names import Row

if TYPE_CHECKING:
    from woovi.locks.manager import LockedRows


def rows(model: type[models.Model], using: str, pks: list[Any], of: tuple[str, ...]) -> list[Row]:
    """What the foreign keys named in `of` point to now."""
    found: list[Row] = []
    for field in _fields(model, of):
        ids = model._base_manager.using(using).filter(pk__in=pks).values_list(field.attname, flat=True)
        found += [Row(field.related_model._meta.label_lower, each) for each in ids if each is not None]
    return found


def attach(
    model: type[models.Model], using: str, locked: LockedRows, lock: Lock, of: tuple[str, ...], by_redis: bool
) -> None:
    """Claim the joined rows, a model at a time in the order of their labels, and put them on the locked ones.

    Raises LockNotAvailable where a foreign key was changed while we waited: the right row is not locked then.
    """
    wanted: defaultdict[type[models.Model], list[models.ForeignKey[Any, Any]]] = defaultdict(list)
    for field in _fields(model, of):
        wanted[field.related_model].append(field)
    for other in sorted(wanted, key=lambda each: each._meta.label_lower):
        label = other._meta.label_lower
        pks = sorted(row.pk for row in lock.rows if row.label == label)
        found = fallback.read(other, using, pks, lock, by_redis) if pks else {}
        for field in wanted[other]:
            for row in locked.values():
                target = getattr(row, field.attname)
                if target is not None and target not in found:
                    raise LockNotAvailable(f"{model._meta.label_lower}.{field.name} changed meanwhile: lock again")
                setattr(row, field.name, found.get(target))


def _fields(model: type[models.Model], of: tuple[str, ...]) -> list[Any]:
    if "self" not in of:
        raise ValueError('"self" must be in `of`')
    fields = [model._meta.get_field(name) for name in of if name != "self"]
    for field in fields:
        if not isinstance(field, models.ForeignKey) or not hasattr(field.related_model, "lock_fence"):
            raise ValueError(f"{field.name} is no foreign key to a FencedModel")
    return fields
