"""What happened to a person's log-in."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from payments.models.company import User


class SecurityEvent(models.Model):
    """A log-in, or a change of what it takes. Of each person the newest few are kept (`payments.services.security`)."""

    class Kind(models.TextChoices):
        LOG_IN = "LOG_IN", _("Logged in")
        PASSWORD = "PASSWORD", _("Password changed")
        FACTOR_ON = "FACTOR_ON", _("Second factor switched on")
        FACTOR_OFF = "FACTOR_OFF", _("Second factor switched off")
        OTHERS_ENDED = "OTHERS_ENDED", _("Logged out everywhere else")

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=12, choices=Kind)
    at = models.DateTimeField(default=timezone.now)
    address = models.GenericIPAddressField(null=True)
    browser = models.CharField(max_length=40, blank=True)
    session_key = models.CharField(max_length=40, blank=True)  # in which it happened: a secret that is shown to nobody

    class Meta:
        indexes = [models.Index(fields=["user", "-id"], name="security_of_user")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.kind}"
