"""The caches in the operators' admin: a model without a table, for its permissions and its entries in the log."""

from __future__ import annotations

from django.db import models


class Cache(models.Model):
    """A cache, by name. `view` may read its figures, `change` may invalidate it."""

    name = models.CharField(max_length=100, primary_key=True)

    class Meta:
        managed = False
        default_permissions = ("view", "change")
        verbose_name_plural = "caches"

    def __str__(self) -> str:
        return self.name
