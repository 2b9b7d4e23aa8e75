"""A charge can be deleted."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0016_payments_once'),
    ]

    operations = [
        migrations.AddField(
            model_name='charge',
            name='deleted_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name='receivedpix',
            name='outcome',
            field=models.CharField(choices=[('SETTLED', 'paid its charge'), ('LOOSE', 'no charge: credited'), ('DUPLICATE', 'charge already paid: returned'), ('LATE', 'charge expired or deleted: returned'), ('WRONG_PAYER', 'another payer than the charge demands: returned'), ('WRONG_VALUE', "another value than the charge's: returned")], max_length=12),
        ),
        migrations.AddConstraint(
            model_name='charge',
            constraint=models.CheckConstraint(condition=models.Q(('deleted_at', None), ('status', 'EXPIRED'), _connector='OR'), name='charge_deleted_is_over'),
        ),
    ]
