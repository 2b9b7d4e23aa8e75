"""Who made a payment, and who approved it; and a company's payments that are in no batch, newest first."""

import django.db.models.deletion
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models


def person():
    return models.ForeignKey(
        db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
    )


class Migration(migrations.Migration):
    atomic = False  # the table may be large: it is indexed and looked through while payments go on
    dependencies = [("payments", "0033_overdue_charges")]

    operations = [
        migrations.AddField("payment", "owner", models.JSONField(null=True)),
        migrations.AddField("payment", "maker", person()),
        migrations.AddField("payment", "approver", person()),
        AddConstraintNotValid(
            "payment",
            models.CheckConstraint(
                condition=models.Q(("approver", None), models.Q(("approver", models.F("maker")), _negated=True), _connector="OR"),
                name="payment_maker_is_not_checker",
            ),
        ),
        ValidateConstraint("payment", "payment_maker_is_not_checker"),
        AddIndexConcurrently(
            "payment",
            models.Index(condition=models.Q(("batch", None)), fields=["company", "-id"], name="payments_alone"),
        ),
    ]
