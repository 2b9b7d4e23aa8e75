"""Pix keys that the platform registers."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('simulator', '0004_due_dates'),
    ]

    operations = [
        migrations.CreateModel(
            name='Entry',
            fields=[
                ('key', models.CharField(max_length=77, primary_key=True, serialize=False)),
                ('request_id', models.CharField(max_length=36, unique=True)),
                ('tax_id', models.CharField(max_length=14)),
                ('created_at', models.DateTimeField()),
            ],
        ),
    ]
