"""Models for operating the platform: permissions for admin pages without a table, and progress of housekeeping."""

from __future__ import annotations

from django.db import models


class RowLock(models.Model):
    """Permissions for the page of locked rows. There is no table: the locks are in Redis (`woovi.locks.holders`)."""

    id = models.BigAutoField(primary_key=True)

    class Meta:
        managed = False
        default_permissions = ("view",)
        permissions = [("release_rowlock", "Can take a row from whoever locks it")]


class RetentionMark(models.Model):
    """Rows of `name` up to the id `upto` have been pruned (`payments.services.retention`)."""

    name = models.CharField(max_length=40, primary_key=True)
    upto = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name} up to {self.upto}"
