from django.db import migrations, models
from django.db.models import F


def mark_deleted(apps, schema_editor):
    """Until now an inactive endpoint was a deleted one, but for those that were registered inactive and never touched."""
    endpoints = apps.get_model("payments", "WebhookEndpoint").objects.filter(is_active=False)
    endpoints.exclude(updated_at=F("created_at")).update(deleted_at=F("updated_at"))


class Migration(migrations.Migration):
    dependencies = [("payments", "0008_email_once")]

    operations = [
        migrations.AddField("webhookendpoint", "deleted_at", models.DateTimeField(null=True)),
        migrations.RunPython(mark_deleted, migrations.RunPython.noop),
    ]
