"""Charges with a due date. That older rows keep the rules is looked at later (`validate_charges`)."""

import django.db.models.expressions
import django.db.models.functions.comparison
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("payments", "0032_by_any_id"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='charge',
            name='charge_refund_range',
        ),
        migrations.AddField(
            model_name='charge',
            name='due_date',
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name='charge',
            name='paid_value',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='charge',
            name='terms',
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name='charge',
            name='type',
            field=models.CharField(choices=[('DYNAMIC', 'immediate'), ('OVERDUE', 'with a due date')], db_default='DYNAMIC', default='DYNAMIC', max_length=7),
        ),
        # A PositiveIntegerField brings a CHECK, for which PostgreSQL would read the table although the column is new.
        migrations.SeparateDatabaseAndState(
            [
                migrations.AddField("charge", "valid_for", models.IntegerField(null=True)),
                migrations.RunSQL(
                    "ALTER TABLE payments_charge ADD CONSTRAINT payments_charge_valid_for_check"
                    " CHECK (valid_for >= 0) NOT VALID",
                    migrations.RunSQL.noop,
                ),
            ],
            [migrations.AddField("charge", "valid_for", models.PositiveIntegerField(null=True))],
        ),
        AddConstraintNotValid(
            model_name='charge',
            constraint=models.CheckConstraint(condition=models.Q(('refunded__gte', 0), ('refunded__lte', django.db.models.expressions.CombinedExpression(django.db.models.functions.comparison.Coalesce(models.F('paid_value'), models.F('value')), '+', models.F('returned_by_bank')))), name='charge_refund_range'),
        ),
        AddConstraintNotValid(
            model_name='charge',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('due_date', None), ('paid_value', None), ('terms', None), ('type', 'DYNAMIC'), ('valid_for', None)), models.Q(('due_date__isnull', False), ('terms__isnull', False), ('type', 'OVERDUE'), ('valid_for__isnull', False)), _connector='OR'), name='charge_overdue_has_due_date'),
        ),
    ]
