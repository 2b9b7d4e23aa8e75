"""Rows to lock, of no app: the table is made and dropped by the fixture."""

from __future__ import annotations

from django.db import models

from woovi.locks import FencedModel


class Owner(FencedModel):
    name = models.CharField(max_length=20)

    class Meta:
        app_label = "vault"


class Account(FencedModel):
    balance = models.BigIntegerField(default=0)
    owner = models.ForeignKey(Owner, models.CASCADE, null=True)

    class Meta:
        app_label = "vault"
