"""An index for what a static QR code received, built while Pix are received."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("payments", "0040_validate_charges")]

    operations = [
        AddIndexConcurrently(
            "receivedpix",
            models.Index(
                condition=models.Q(("qr_code__isnull", False)), fields=["qr_code"], name="received_by_qr_code"
            ),
        )
    ]
