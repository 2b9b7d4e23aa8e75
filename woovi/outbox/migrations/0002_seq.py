from django.db import migrations, models

# Those that were relayed before there were numbers, in the order in which they were written.
NUMBER = """
UPDATE outbox_outboxevent e SET seq = n.seq
FROM (
    SELECT id, row_number() OVER (PARTITION BY tenant ORDER BY id) AS seq
    FROM outbox_outboxevent WHERE relayed_at IS NOT NULL AND topic !~ '^[a-z]+:'
) n
WHERE e.id = n.id
"""


class Migration(migrations.Migration):

    dependencies = [
        ('outbox', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='outboxevent',
            name='seq',
            field=models.BigIntegerField(editable=False, null=True),
        ),
        migrations.RunSQL(NUMBER, migrations.RunSQL.noop),
        migrations.RemoveIndex(
            model_name='outboxevent',
            name='outbox_by_tenant',
        ),
        migrations.AddConstraint(
            model_name='outboxevent',
            constraint=models.UniqueConstraint(condition=models.Q(('seq__isnull', False)), fields=('tenant', 'seq'), name='outbox_log'),
        ),
    ]
