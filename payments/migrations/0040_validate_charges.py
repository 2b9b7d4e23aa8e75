"""Look whether older charges keep the rules that newer ones must, while charges are made and paid.

Apart from the rules themselves, which lock the table for a moment: this reads all of it.
"""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("payments", "0039_export_records")]

    operations = [
        ValidateConstraint("charge", "charge_deleted_is_over"),
        ValidateConstraint("charge", "charge_refund_range"),
        ValidateConstraint("charge", "charge_overdue_has_due_date"),
        ValidateConstraint("charge", "payments_charge_valid_for_check"),
    ]
