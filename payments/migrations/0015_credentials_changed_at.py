"""When a person's password or second factor changed last."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0014_payout_references")]

    operations = [migrations.AddField("user", "credentials_changed_at", models.DateTimeField(editable=False, null=True))]
