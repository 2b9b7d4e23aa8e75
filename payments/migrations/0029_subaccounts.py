"""Sub-accounts, and notes of movements between a company's accounts."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("payments", "0028_qr_codes"),
    ]

    operations = [
        migrations.AddField(
            model_name='payment',
            name='source',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='payments.account'),
        ),
        migrations.AlterField(
            model_name='account',
            name='kind',
            field=models.CharField(choices=[('MERCHANT', "merchant's money"), ('CLEARING', 'money at the bank (negative: the bank owes)'), ('FEES', "the platform's fees"), ('SUSPENSE', 'received, waiting to be returned'), ('RECEIVABLE', 'owed by the company (negative)'), ('SUBACCOUNT', 'set aside for a sub-account')], max_length=10),
        ),
        migrations.CreateModel(
            name='MovementNote',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text', models.CharField(max_length=140)),
                ('transaction', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='note', to='payments.ledgertransaction')),
            ],
        ),
        migrations.CreateModel(
            name='Subaccount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('lock_fence', models.BigIntegerField(default=0, editable=False)),
                ('pix_key', models.CharField(max_length=77)),
                ('name', models.CharField(max_length=100)),
                ('withdraw_blocked', models.BooleanField(default=False)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('closed_at', models.DateTimeField(null=True)),
                ('account', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='subaccount', to='payments.account')),
                ('company', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='subaccounts', to='payments.company')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('company', 'pix_key'), name='subaccount_once')],
            },
        ),
    ]
