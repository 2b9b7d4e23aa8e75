"""Charges with a due date (cobv)."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('simulator', '0003_sent_to_accounts'),
    ]

    operations = [
        migrations.AddField(
            model_name='charge',
            name='due_date',
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name='charge',
            name='terms',
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name='charge',
            name='valid_for',
            field=models.PositiveIntegerField(null=True),
        ),
    ]
