"""Companies, their users and their applications."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, ClassVar

from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from payments.models.base import PublicIdField
from woovi.ratelimit.device import account_of


class Company(models.Model):
    """A merchant, the tenant. Its fees are the platform's share of each received Pix."""

    public_id = PublicIdField()
    correlation_id = models.CharField(max_length=255, default=uuid.uuid4, unique=True)
    official_name = models.CharField(max_length=200)
    trade_name = models.CharField(max_length=200)
    tax_id = models.CharField(max_length=14, unique=True)
    pix_key = models.CharField(max_length=77, unique=True)
    city = models.CharField(max_length=15, default="SAO PAULO")
    fee_basis_points = models.PositiveIntegerField(default=80)
    fee_minimum = models.PositiveIntegerField(default=50)  # centavos
    fee_maximum = models.PositiveIntegerField(default=500)  # centavos
    charge_expires_in = models.PositiveIntegerField(default=86_400)  # seconds
    # Centavos that it may send in one payment, by day and by night. None: as much as it has.
    payment_limit = models.BigIntegerField(null=True, blank=True)
    day_limit = models.BigIntegerField(null=True, blank=True)
    night_limit = models.BigIntegerField(null=True, blank=True)
    # Set where Redis did not accept an invalidation: until then the balance is read from the database.
    balance_doubted_until = models.DateTimeField(null=True, editable=False)
    # What operators have forbidden it for now (payments/services/freezing.py).
    payments_frozen = models.BooleanField(default=False, db_default=False, editable=False)
    refunds_frozen = models.BooleanField(default=False, db_default=False, editable=False)
    charges_frozen = models.BooleanField(default=False, db_default=False, editable=False)
    logo_key = models.UUIDField(null=True, editable=False)  # of its Logo, whose address has it: pages need not look
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "companies"
        permissions = [
            ("freeze_company", "Can freeze a company's payments, refunds and charges"),
            ("export_records", "Can export lists as files"),
        ]
        constraints = [
            models.CheckConstraint(
                name="company_fee_range", condition=models.Q(fee_minimum__lte=models.F("fee_maximum"))
            )
        ]

    def __str__(self) -> str:
        return self.trade_name


class Logo(models.Model):
    """A company's picture, as `payments.services.images` has written it. Each picture has a `key` of its own."""

    company = models.OneToOneField(Company, on_delete=models.PROTECT, related_name="+")
    key = models.UUIDField(unique=True)
    data = models.BinaryField()
    media_type = models.CharField(max_length=10)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"logo of {self.company_id}"


class UserManager(BaseUserManager["User"]):
    """Creates users by e-mail address, stored in lower case."""

    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create a user. Without a password nobody can log in as it."""
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create an operator with all permissions."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        """The user with this e-mail address, ignoring case. Both sides are lowered in SQL, to use the index.

        PostgreSQL lowers some foreign letters to ASCII ones (U+0130 to i). Limits count those spellings apart, so they are
        nobody's. Raises User.DoesNotExist.
        """
        found = self.alias(lowered=Lower("email")).get(lowered=Lower(models.Value(username)))
        if account_of(found.email) != account_of(username or ""):
            raise self.model.DoesNotExist
        return found


class User(AbstractUser):
    """A person who logs in: a merchant's user (with a company) or an operator (staff, without one)."""

    class Role(models.TextChoices):
        """What somebody may do on the company's pages; `payments.web.access` has the rights of each."""

        OWNER = "OWNER", _("Owner")
        FINANCE = "FINANCE", _("Finance")
        APPROVER = "APPROVER", _("Approver")
        VIEWER = "VIEWER", _("Viewer")

    role = models.CharField(_("role"), max_length=8, choices=Role, default=Role.OWNER, db_default=Role.OWNER)
    username = None  # type: ignore[assignment]
    email = models.EmailField(unique=True)
    company = models.ForeignKey(Company, on_delete=models.PROTECT, null=True, blank=True, related_name="users")
    # When the password or the second factor changed last. Sessions and known browsers of before end.
    credentials_changed_at = models.DateTimeField(null=True, editable=False)
    notices_read_at = models.DateTimeField(null=True, editable=False)  # the time of the newest one that was read

    class Meta(AbstractUser.Meta):
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="user_email_once",
                violation_error_message=_("Somebody has this e-mail already, perhaps in other letters' case."),
            ),
            models.CheckConstraint(
                name="user_is_merchants_or_operator",
                condition=models.Q(company=None) | models.Q(is_staff=False, is_superuser=False),
                violation_error_message=_("Nobody is an operator and a merchant's person at once."),
            ),
        ]

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()  # type: ignore[misc,assignment]

    def __str__(self) -> str:
        return self.email

    def save(self, *args: Any, **options: Any) -> None:
        """Note when the password changes. `_password` tells that from the same one hashed anew, as it does to Django."""
        if self._password is not None:  # type: ignore[attr-defined]  # not in the stubs
            self.credentials_changed_at = timezone.now()
        super().save(*args, **options)

    def get_session_auth_hash(self) -> str:
        """What a session must hold: of this password, and of this second factor."""
        return super().get_session_auth_hash() + self._since

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        """The same by SECRET_KEY_FALLBACKS."""
        return (made + self._since for made in super().get_session_auth_fallback_hash())

    @property
    def _since(self) -> str:
        return str(self.credentials_changed_at.timestamp()) if self.credentials_changed_at else ""


class Application(models.Model):
    """A program's credentials. The AppID is base64 of `client_id:secret`; only the secret's digest is kept.

    What it may do is decided in `payments.services.applications`.
    """

    class Type(models.TextChoices):
        API = "API", "API"
        MASTER = "MASTER", "MASTER: may also manage accounts and applications"

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="applications")
    name = models.CharField(max_length=100)
    client_id = models.CharField(max_length=64, unique=True)
    secret_digest = models.CharField(max_length=64, editable=False)  # SHA-256, in hex
    type = models.CharField(max_length=6, choices=Type, default=Type.API, db_default=Type.API)
    scopes = models.JSONField(default=list, db_default=[], blank=True)  # of payments.scopes; empty: every route
    allowed_ips = models.JSONField(
        default=list, db_default=[], blank=True
    )  # addresses and networks; empty: any address
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True, editable=False)  # within the hour
    # Who of the company asked that it may send money, and who else approved it. Both None: nobody had to.
    asked_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, editable=False
    )
    approved_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, editable=False
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="application_asker_is_not_approver",
                condition=models.Q(approved_by=None) | ~models.Q(approved_by=models.F("asked_by")),
            )
        ]

    @property
    def waits(self) -> bool:
        """Whether it sends no money until another person has approved it."""
        return self.asked_by_id is not None and self.approved_by_id is None

    def __str__(self) -> str:
        return f"{self.name} of {self.company}"
