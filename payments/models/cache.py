"""The caches as operators see them: no table, but rights to view and to invalidate, and a name in the log."""

from __future__ import annotations

from django.db import models


class Cache(models.Model):
    name = models.CharField(max_length=100, primary_key=True)

    class Meta:
        managed = False
        default_permissions = ("view", "change")
        verbose_name_plural = "caches"

    def __str__(self) -> str:
        return self.name
