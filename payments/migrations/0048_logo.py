"""A company's logo."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0047_notices")]

    operations = [
        migrations.AddField("company", "logo_key", models.UUIDField(editable=False, null=True)),
        migrations.CreateModel(
            "Logo",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.UUIDField(unique=True)),
                ("data", models.BinaryField()),
                ("media_type", models.CharField(max_length=10)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "company",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="payments.company"
                    ),
                ),
            ],
        ),
    ]
