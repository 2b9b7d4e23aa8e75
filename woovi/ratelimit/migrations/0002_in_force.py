"""Limits may wait for a second operator, or be taken out without being forgotten. All that there are count as before."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ratelimit", "0001_initial")]

    operations = [
        migrations.AddField(name, "in_force", models.BooleanField(default=True, db_default=True, editable=False))
        for name in ("limitpolicy", "limitplan", "limitentry")
    ]
