"""The right to export lists."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0038_freezing"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="company",
            options={
                "permissions": [
                    ("freeze_company", "Can freeze a company's payments, refunds and charges"),
                    ("export_records", "Can export lists as files"),
                ],
                "verbose_name_plural": "companies",
            },
        ),
    ]
