"""Returns of the bank's own, and Pix that are listed late."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("simulator", "0001_initial")]

    operations = [
        migrations.AddField("return", "nature", models.CharField(default="ORIGINAL", max_length=20)),
        migrations.AddField("faults", "listed_after_ms", models.PositiveIntegerField(default=0)),
    ]
