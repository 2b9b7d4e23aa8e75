"""A charge can be deleted. That older rows keep the rule is looked at later (`validate_charges`)."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("payments", "0018_application_scopes"),
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
        AddConstraintNotValid(
            model_name='charge',
            constraint=models.CheckConstraint(condition=models.Q(('deleted_at', None), ('status', 'EXPIRED'), _connector='OR'), name='charge_deleted_is_over'),
        ),
    ]
