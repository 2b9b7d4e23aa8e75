"""Four eyes: what one operator proposes, and another decides."""

import django.db.models.deletion
import django.utils.timezone
import payments.models.base
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0036_operators_are_no_merchants"),
    ]

    operations = [
        migrations.CreateModel(
            name="Proposal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    payments.models.base.PublicIdField(
                        default=payments.models.base.new_public_id, editable=False, max_length=24, unique=True
                    ),
                ),
                ("act", models.CharField(max_length=40)),
                ("target", models.CharField(max_length=40)),
                ("subject", models.CharField(max_length=200)),
                ("before", models.JSONField(default=dict)),
                ("after", models.JSONField(default=dict)),
                ("reason", models.CharField(max_length=200)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("PROPOSED", "Proposed"),
                            ("APPROVED", "approved, under way"),
                            ("DONE", "Done"),
                            ("FAILED", "Failed"),
                            ("REFUSED", "Refused"),
                            ("WITHDRAWN", "withdrawn by who proposed it"),
                        ],
                        default="PROPOSED",
                        max_length=9,
                    ),
                ),
                ("outcome", models.CharField(blank=True, max_length=300)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("decided_at", models.DateTimeField(null=True)),
                (
                    "company",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="payments.company"
                    ),
                ),
                (
                    "decider",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "proposer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status__in", ["APPROVED", "DONE", "FAILED", "REFUSED"]), _negated=True),
                            models.Q(
                                ("decider__isnull", False), models.Q(("decider", models.F("proposer")), _negated=True)
                            ),
                            _connector="OR",
                        ),
                        name="proposal_has_four_eyes",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("status__in", ["PROPOSED", "APPROVED"])),
                        fields=("act", "target"),
                        name="proposal_open_once",
                    ),
                ],
            },
        ),
    ]
