"""The Pix key of each charge, and removals of keys that the bank has not answered."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0049_security_events")]

    operations = [
        migrations.AddField("charge", "pix_key", models.CharField(blank=True, db_default="", default="", max_length=77)),
        migrations.AddField("furtherkey", "removing_since", models.DateTimeField(null=True)),
        migrations.AddIndex(
            "furtherkey",
            models.Index(
                condition=models.Q(("removing_since__isnull", False)),
                fields=["removing_since"],
                name="further_key_removing",
            ),
        ),
    ]
