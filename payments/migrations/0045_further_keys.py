"""Pix keys that companies have besides their default ones."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0044_switches")]

    operations = [
        migrations.CreateModel(
            name="FurtherKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("request_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("key_type", models.CharField(max_length=5)),
                ("pix_key", models.CharField(blank=True, max_length=77)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("registered_at", models.DateTimeField(null=True)),
                ("removed_at", models.DateTimeField(null=True)),
                (
                    "company",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="further_keys",
                        to="payments.company",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["pix_key"], name="further_key_by_key")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("registered_at", None), ("removed_at", None)),
                        fields=("company", "key_type"),
                        name="further_key_asked_once",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("registered_at__isnull", False), ("removed_at", None)),
                        fields=("pix_key",),
                        name="further_key_once",
                    ),
                ],
            },
        ),
    ]
