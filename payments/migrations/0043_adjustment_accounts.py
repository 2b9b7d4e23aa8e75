"""Companies may have an account for what operators give them or take back. Accounts are few: the rule is looked at in moments."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0042_transfer_periods")]

    operations = [
        migrations.AlterField(
            model_name="account",
            name="kind",
            field=models.CharField(
                choices=[
                    ("MERCHANT", "merchant's money"),
                    ("CLEARING", "money at the bank (negative: the bank owes)"),
                    ("FEES", "the platform's fees"),
                    ("SUSPENSE", "received, waiting to be returned"),
                    ("RECEIVABLE", "owed by the company (negative)"),
                    ("SUBACCOUNT", "set aside for a sub-account"),
                    ("ADJUSTMENT", "given (negative) or taken back by hand"),
                ],
                max_length=10,
            ),
        ),
        migrations.RemoveConstraint(model_name="account", name="account_negative_by_kind"),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.CheckConstraint(
                condition=models.Q(may_go_negative=False)
                | models.Q(kind__in=["CLEARING", "RECEIVABLE", "ADJUSTMENT"]),
                name="account_negative_by_kind",
            ),
        ),
    ]
