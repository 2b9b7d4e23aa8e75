"""Companies that operators have frozen."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0037_proposals"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="company",
            options={
                "permissions": [("freeze_company", "Can freeze a company's payments, refunds and charges")],
                "verbose_name_plural": "companies",
            },
        ),
        migrations.AddField(
            model_name="company",
            name="charges_frozen",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddField(
            model_name="company",
            name="payments_frozen",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddField(
            model_name="company",
            name="refunds_frozen",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
    ]
