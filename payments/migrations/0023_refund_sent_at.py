"""When a refund's return was last requested. Open ones that were asked about may have been requested then."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0022_webhook_breaker"),
    ]

    operations = [
        migrations.AlterField(
            model_name="refund",
            name="checked_at",
            field=models.DateTimeField(db_column="checked_at", null=True),
        ),
        migrations.RenameField(model_name="refund", old_name="checked_at", new_name="asked_at"),
        migrations.AddField(
            model_name="refund",
            name="sent_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.RunSQL(
            "UPDATE payments_refund SET sent_at = checked_at WHERE status = 'IN_PROCESSING' AND NOT by_bank",
            migrations.RunSQL.noop,
        ),
    ]
