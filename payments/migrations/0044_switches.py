"""What operators switch off at once, for everybody. Nothing is off until somebody says so."""

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0043_adjustment_accounts")]

    operations = [
        migrations.CreateModel(
            name="Switch",
            fields=[
                (
                    "name",
                    models.CharField(
                        choices=[
                            ("payments", "payments: no Pix leaves, of batches neither"),
                            ("refunds", "refunds: nobody asks for one"),
                            ("charges", "charges: none is made, nor a QR code"),
                            ("webhooks", "webhooks: none is sent; what is due waits, and no try is used up"),
                            ("graphql", "GraphQL: no operation begins, by HTTP or WebSocket"),
                        ],
                        max_length=20,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("is_off", models.BooleanField(default=False)),
                ("reason", models.CharField(max_length=200)),
                ("changed_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={"verbose_name_plural": "switches", "default_permissions": ("view", "change")},
        ),
    ]
