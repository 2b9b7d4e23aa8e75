"""What a person may do on the company's pages. Whoever was there before may do all, as before."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0034_payment_people")]

    operations = [
        migrations.AddField(
            "user",
            "role",
            models.CharField(
                choices=[("OWNER", "Owner"), ("FINANCE", "Finance"), ("APPROVER", "Approver"), ("VIEWER", "Viewer")],
                db_default="OWNER",
                default="OWNER",
                max_length=8,
                verbose_name="role",
            ),
        )
    ]
