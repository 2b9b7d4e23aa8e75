"""Limits that operators set. A row here wins over the default of the same name that the product ships."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from woovi.ratelimit import version
from woovi.ratelimit.address import Networks
from woovi.ratelimit.policy import Policy

SUBJECT = RegexValidator(r"^[a-z]+:.+$", _("must be kind:value, as company:7"))
SECONDS = RegexValidator(r"^\d+(,\d+)*$", _("must be seconds, as 60,300,1800"))
NAME = RegexValidator(r"^[a-z0-9.-]+$", _("must be lower-case letters, digits, dots and hyphens"))


class Live(models.Model):
    """A row that every process reads anew soon after it was changed. What is not in force is kept, and counts for nobody."""

    in_force = models.BooleanField(default=True, db_default=True, editable=False)

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)
        transaction.on_commit(_tell)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        done = super().delete(*args, **kwargs)
        transaction.on_commit(_tell)
        return done


class LimitPolicy(Live):
    """One limit: for everybody, for the subjects of a plan, or for one subject."""

    name = models.CharField(max_length=60, validators=[NAME])
    plan = models.CharField(max_length=40, blank=True, help_text=_("Only for subjects of this plan"))
    subject = models.CharField(
        max_length=200, blank=True, validators=[SUBJECT], help_text=_("Only for this one, as company:7")
    )
    key = models.CharField("counts by", max_length=20, help_text=_("address, network, account, company, ..."))
    limit = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    per = models.FloatField("per seconds", validators=[MinValueValidator(0.001)])
    burst = models.PositiveIntegerField(default=0, help_text=_("Size of the bucket; 0 is the limit"))
    blocks = models.CharField(
        max_length=100, blank=True, validators=[SECONDS], help_text=_("Seconds, as 60,300,1800,86400")
    )
    without_redis = models.CharField(
        max_length=6, default="local", choices=[(x, x) for x in ("open", "closed", "local")]
    )
    mode = models.CharField(max_length=7, default="enforce", choices=[(x, x) for x in ("enforce", "shadow", "off")])

    class Meta:
        verbose_name_plural = "limit policies"
        constraints = [
            models.UniqueConstraint(fields=["name", "plan", "subject"], name="limit_policy_once"),
            models.CheckConstraint(name="limit_policy_scope", condition=Q(plan="") | Q(subject="")),
            models.CheckConstraint(name="limit_policy_rate", condition=Q(limit__gte=1, per__gt=0)),
        ]

    def __str__(self) -> str:
        scope = self.subject or (f"plan {self.plan}" if self.plan else "everybody")
        return f"{self.name} for {scope}: {self.limit} per {self.per:g} s"

    def policy(self) -> Policy:
        return Policy(
            name=self.name,
            key=self.key,
            limit=self.limit,
            per=self.per,
            burst=self.burst,
            blocks=tuple(map(int, self.blocks.split(","))) if self.blocks else (),
            without_redis=self.without_redis,  # type: ignore[arg-type]
            mode=self.mode,  # type: ignore[arg-type]
        )


class LimitPlan(Live):
    """The plan of one subject."""

    subject = models.CharField(max_length=200, unique=True, validators=[SUBJECT], help_text=_("As company:7"))
    plan = models.CharField(max_length=40)

    def __str__(self) -> str:
        return f"{self.subject}: {self.plan}"


class LimitEntry(Live):
    """Always refused, or never counted: a network, or a subject, until a moment or for good."""

    class Kind(models.TextChoices):
        ALLOW = "allow"
        DENY = "deny"

    kind = models.CharField(max_length=5, choices=Kind)
    who = models.CharField(max_length=200, help_text=_("A network, as 203.0.113.0/24, or a subject, as company:7"))
    until = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = "allow and deny entries"
        constraints = [models.UniqueConstraint(fields=["kind", "who"], name="limit_entry_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.who}"

    @property
    def is_network(self) -> bool:
        try:
            Networks([self.who])
        except ValueError:
            return False
        return True

    def clean(self) -> None:
        if not self.is_network:
            try:
                SUBJECT(self.who)
            except ValidationError:
                wrong = _("must be a network (203.0.113.0/24) or a subject (company:7)")
                raise ValidationError({"who": wrong}) from None


def _tell() -> None:
    version.changed()
