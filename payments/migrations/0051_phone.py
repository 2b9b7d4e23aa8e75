"""The device of a second factor, whose secret is encrypted. Its rows are django-otp's: no table changes.

The secrets that are there are encrypted by the job of the night (`second_factor.seal`), not here: processes of the former
version, which run beside this migration, read plain ones only, and may write one after it.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("payments", "0050_keys_kept"), ("otp_totp", "0003_add_timestamps")]

    operations = [
        migrations.CreateModel(
            name="Phone",
            fields=[],
            options={"proxy": True, "default_permissions": (), "indexes": [], "constraints": []},
            bases=("otp_totp.totpdevice",),
        ),
    ]
