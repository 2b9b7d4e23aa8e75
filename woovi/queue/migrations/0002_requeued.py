"""How often a sweep had to put lost messages again. The default is the database's: former versions insert without the column."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("queue", "0001_initial")]

    operations = [
        migrations.AddField("periodicjob", "requeued", models.PositiveBigIntegerField(db_default=0)),
        migrations.AddField("periodicjob", "requeued_at", models.DateTimeField(null=True)),
    ]
