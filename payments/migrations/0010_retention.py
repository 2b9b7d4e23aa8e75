"""A try keeps the body at the first only, and housekeeping remembers how far it has come."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0009_webhook_deleted_at")]

    operations = [
        migrations.AlterField(
            "webhookattempt",
            "request_body",
            models.TextField(blank=True, help_text="the same at every try, and kept at the first"),
        ),
        migrations.CreateModel(
            name="RetentionMark",
            fields=[
                ("name", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("upto", models.BigIntegerField(default=0)),
            ],
        ),
    ]
