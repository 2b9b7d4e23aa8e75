from django.apps import AppConfig
from django.db.models.signals import post_migrate


class PaymentsConfig(AppConfig):
    name = "payments"
    verbose_name = "Platform"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from payments.services import (
            devices,  # noqa: F401 (listens to log-ins)
            roles,
            security,  # noqa: F401 (listens to log-ins)
        )

        post_migrate.connect(roles.ship, sender=self)
