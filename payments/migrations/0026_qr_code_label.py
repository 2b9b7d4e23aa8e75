"""How the kind of a payment is written; nothing in the database changes."""

from django.db import migrations, models

KINDS = [("PIX_KEY", "Pix key"), ("QR_CODE", "QR code"), ("MANUAL", "Manual")]


class Migration(migrations.Migration):
    dependencies = [("payments", "0025_payment_correction")]

    operations = [migrations.AlterField("payment", "type", models.CharField(choices=KINDS, max_length=7))]
