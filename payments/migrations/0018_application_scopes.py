"""What an application may do, and from where."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("payments", "0017_application_last_used"),
    ]

    operations = [
        migrations.AddField(
            model_name='application',
            name='allowed_ips',
            field=models.JSONField(blank=True, db_default=[], default=list),
        ),
        migrations.AddField(
            model_name='application',
            name='scopes',
            field=models.JSONField(blank=True, db_default=[], default=list),
        ),
        migrations.AddField(
            model_name='application',
            name='type',
            field=models.CharField(choices=[('API', 'API'), ('MASTER', 'MASTER: may also manage accounts and applications')], db_default='API', default='API', max_length=6),
        ),
    ]
