"""A company remembers until when Redis may show an old balance, and operators have rights on caches."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0005_pix_key_tokens")]

    operations = [
        migrations.AddField("company", "balance_doubted_until", models.DateTimeField(editable=False, null=True)),
        migrations.CreateModel(
            name="Cache",
            fields=[
                ("name", models.CharField(max_length=100, primary_key=True, serialize=False)),
            ],
            options={"managed": False, "default_permissions": ("view", "change"), "verbose_name_plural": "caches"},
        ),
    ]
