"""Charges with a due date."""

import django.db.models.expressions
import django.db.models.functions.comparison
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0018_qr_codes'),
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
        migrations.AddField(
            model_name='charge',
            name='valid_for',
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddConstraint(
            model_name='charge',
            constraint=models.CheckConstraint(condition=models.Q(('refunded__gte', 0), ('refunded__lte', django.db.models.expressions.CombinedExpression(django.db.models.functions.comparison.Coalesce(models.F('paid_value'), models.F('value')), '+', models.F('returned_by_bank')))), name='charge_refund_range'),
        ),
        migrations.AddConstraint(
            model_name='charge',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('due_date', None), ('paid_value', None), ('terms', None), ('type', 'DYNAMIC'), ('valid_for', None)), models.Q(('due_date__isnull', False), ('terms__isnull', False), ('type', 'OVERDUE'), ('valid_for__isnull', False)), _connector='OR'), name='charge_overdue_has_due_date'),
        ),
    ]
