"""A row of a batch is paid at most once, and when a payment was last sent."""


from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0015_credentials_changed_at'),
    ]

    operations = [
        migrations.AddField(
            model_name='payment',
            name='sent_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.UniqueConstraint(condition=models.Q(('batch__isnull', False), ('status', 'CONFIRMED')), fields=('batch', 'line'), name='payment_of_line_paid_once'),
        ),
    ]
