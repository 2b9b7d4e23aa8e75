"""What happened to people's log-ins."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0048_logo")]

    operations = [
        migrations.CreateModel(
            "SecurityEvent",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("LOG_IN", "Logged in"),
                            ("PASSWORD", "Password changed"),
                            ("FACTOR_ON", "Second factor switched on"),
                            ("FACTOR_OFF", "Second factor switched off"),
                            ("OTHERS_ENDED", "Logged out everywhere else"),
                        ],
                        max_length=12,
                    ),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("address", models.GenericIPAddressField(null=True)),
                ("browser", models.CharField(blank=True, max_length=40)),
                ("session_key", models.CharField(blank=True, max_length=40)),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"indexes": [models.Index(fields=["user", "-id"], name="security_of_user")]},
        ),
    ]
