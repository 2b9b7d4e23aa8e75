"""Pix that are sent to an account, without a key."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("simulator", "0002_as_real_banks_do")]

    operations = [
        migrations.AddField("sent", "account", models.CharField(blank=True, default="", max_length=40)),
        migrations.AlterField("sent", "pix_key", models.CharField(blank=True, max_length=77)),
    ]
