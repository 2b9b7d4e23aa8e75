"""Charges and refunds remember the highest fence that claimed them, and operators may see and release locks."""

from django.db import migrations, models



class Migration(migrations.Migration):
    dependencies = [("payments", "0003_facts_stay")]

    operations = [
        migrations.AddField("charge", "lock_fence", models.BigIntegerField(default=0, editable=False)),
        migrations.AddField("refund", "lock_fence", models.BigIntegerField(default=0, editable=False)),
        migrations.CreateModel(
            "RowLock",
            fields=[("id", models.BigAutoField(primary_key=True))],
            options={
                "managed": False,
                "default_permissions": ("view",),
                "permissions": [("release_rowlock", "Can take a row from whoever locks it")],
            },
        ),
    ]
