"""Parts of a charge that go to others."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("payments", "0029_subaccounts"),
    ]

    operations = [
        migrations.AddField(
            model_name='charge',
            name='splits',
            field=models.JSONField(null=True),
        ),
    ]
