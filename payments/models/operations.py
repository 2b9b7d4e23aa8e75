"""Operators' pages that stand on no table: a name in the admin, and the rights to see and to act."""

from __future__ import annotations

from django.db import models


class RowLock(models.Model):
    """Rows that are locked now are in Redis (`woovi.locks.holders`)."""

    id = models.BigAutoField(primary_key=True)

    class Meta:
        managed = False
        default_permissions = ("view",)
        permissions = [("release_rowlock", "Can take a row from whoever locks it")]
