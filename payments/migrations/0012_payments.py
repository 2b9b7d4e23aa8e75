"""Payments, payout batches and their rows."""

import django.db.models.deletion
import django.utils.timezone
import payments.models.base
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0011_bank_days'),
    ]

    operations = [
        migrations.CreateModel(
            name='PayoutBatch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', payments.models.base.PublicIdField(default=payments.models.base.new_public_id, editable=False, max_length=24, unique=True)),
                ('name', models.CharField(max_length=200)),
                ('status', models.CharField(choices=[('DRAFT', 'Draft'), ('VALIDATED', 'Validated'), ('AWAITING_APPROVAL', 'Awaiting Approval'), ('RUNNING', 'Running'), ('PAUSED', 'Paused'), ('DONE', 'Done'), ('PARTIAL', 'Partial'), ('CANCELLED', 'Cancelled')], default='DRAFT', max_length=17)),
                ('rows', models.PositiveIntegerField(default=0)),
                ('total', models.BigIntegerField(default=0)),
                ('problems', models.PositiveIntegerField(default=0)),
                ('signature', models.CharField(blank=True, max_length=64)),
                ('round', models.PositiveSmallIntegerField(default=1)),
                ('confirmed', models.PositiveIntegerField(default=0)),
                ('failed', models.PositiveIntegerField(default=0)),
                ('reserved', models.BigIntegerField(default=0)),
                ('holds', models.PositiveIntegerField(default=0)),
                ('served_at', models.DateTimeField(null=True)),
                ('pause_reason', models.CharField(blank=True, max_length=200)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('approved_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('approver', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('company', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='payouts', to='payments.company')),
                ('hold', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='payments.ledgertransaction')),
                ('maker', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name_plural': 'payout batches',
            },
        ),
        migrations.CreateModel(
            name='Payment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('lock_fence', models.BigIntegerField(default=0, editable=False)),
                ('public_id', models.CharField(default=payments.models.base.new_public_id, editable=False, max_length=24)),
                ('correlation_id', models.CharField(max_length=255)),
                ('type', models.CharField(choices=[('PIX_KEY', 'Pix Key'), ('QR_CODE', 'Qr Code'), ('MANUAL', 'Manual')], max_length=7)),
                ('value', models.BigIntegerField()),
                ('pix_key', models.CharField(blank=True, max_length=77)),
                ('qr_code', models.CharField(blank=True, max_length=512)),
                ('account', models.JSONField(null=True)),
                ('comment', models.CharField(blank=True, max_length=140)),
                ('metadata', models.JSONField(null=True)),
                ('status', models.CharField(choices=[('CREATED', 'Created'), ('APPROVED', 'Approved'), ('PROCESSING', 'Processing'), ('CONFIRMED', 'Confirmed'), ('FAILED', 'Failed'), ('DENIED', 'Denied'), ('REMOVED', 'Removed'), ('QUARANTINED', 'Quarantined')], default='CREATED', max_length=11)),
                ('end_to_end_id', models.CharField(blank=True, max_length=32)),
                ('error_code', models.CharField(blank=True, max_length=60)),
                ('reason', models.CharField(blank=True, max_length=200)),
                ('line', models.PositiveIntegerField(null=True)),
                ('round', models.PositiveSmallIntegerField(null=True)),
                ('asked_at', models.DateTimeField(null=True)),
                ('unknown_since', models.DateTimeField(null=True)),
                ('contradicted_at', models.DateTimeField(null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('approved_at', models.DateTimeField(null=True)),
                ('resolved_at', models.DateTimeField(null=True)),
                ('company', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='payments', to='payments.company')),
                ('hold', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='payments.ledgertransaction')),
                ('batch', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='payments', to='payments.payoutbatch')),
            ],
        ),
        migrations.CreateModel(
            name='PayoutChunk',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('first_line', models.PositiveIntegerField()),
                ('last_line', models.PositiveIntegerField()),
                ('digest', models.CharField(max_length=64)),
                ('is_done', models.BooleanField(default=False)),
                ('token', models.UUIDField(null=True)),
                ('leased_until', models.DateTimeField(null=True)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('at_line', models.PositiveIntegerField(null=True)),
                ('at_line_attempts', models.PositiveSmallIntegerField(default=0)),
                ('batch', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='chunks', to='payments.payoutbatch')),
            ],
        ),
        migrations.CreateModel(
            name='PayoutProblem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('line', models.PositiveIntegerField()),
                ('column', models.CharField(max_length=20)),
                ('reason', models.CharField(max_length=200)),
                ('batch', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='found', to='payments.payoutbatch')),
            ],
        ),
        migrations.CreateModel(
            name='PayoutRow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('line', models.PositiveIntegerField()),
                ('reference', models.CharField(max_length=100)),
                ('pix_key', models.CharField(max_length=77)),
                ('value', models.BigIntegerField()),
                ('comment', models.CharField(blank=True, max_length=140)),
                ('batch', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='lines', to='payments.payoutbatch')),
            ],
        ),
        migrations.AddIndex(
            model_name='payoutbatch',
            index=models.Index(condition=models.Q(('status__in', ['RUNNING', 'PAUSED'])), fields=['status'], name='payout_live'),
        ),
        migrations.AddConstraint(
            model_name='payoutbatch',
            constraint=models.CheckConstraint(condition=models.Q(('approver', None), models.Q(('approver', models.F('maker')), _negated=True), _connector='OR'), name='payout_maker_is_not_checker'),
        ),
        migrations.AddConstraint(
            model_name='payoutbatch',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('hold', None), ('reserved', 0)), models.Q(('hold__isnull', False), ('reserved__gt', 0)), _connector='OR'), name='payout_reserves_what_it_holds'),
        ),
        migrations.AddIndex(
            model_name='payment',
            index=models.Index(fields=['company', '-id'], name='payments_of_company'),
        ),
        migrations.AddIndex(
            model_name='payment',
            index=models.Index(condition=models.Q(('status', 'QUARANTINED'), ('contradicted_at__isnull', False), _connector='OR'), fields=['id'], name='payment_in_trouble'),
        ),
        migrations.AddIndex(
            model_name='payment',
            index=models.Index(fields=['end_to_end_id'], name='payment_by_end_to_end_id'),
        ),
        migrations.AddIndex(
            model_name='payment',
            index=models.Index(condition=models.Q(('batch__isnull', False)), fields=['company', 'correlation_id'], name='payment_by_reference'),
        ),
        migrations.AddIndex(
            model_name='payment',
            index=models.Index(condition=models.Q(('status__in', ['APPROVED', 'PROCESSING'])), fields=['created_at'], name='payment_open'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.UniqueConstraint(fields=('public_id',), name='payment_public_id_once'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.UniqueConstraint(condition=models.Q(('batch', None)), fields=('company', 'correlation_id'), name='payment_correlation_id_once'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.UniqueConstraint(condition=models.Q(('batch__isnull', False)), fields=('batch', 'line', 'round'), name='payment_of_line_once'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.CheckConstraint(condition=models.Q(('value__gt', 0)), name='payment_value_positive'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['CREATED', 'DENIED', 'REMOVED']), ('hold__isnull', False), ('batch__isnull', False), _connector='OR'), name='payment_approved_holds'),
        ),
        migrations.AddIndex(
            model_name='payoutchunk',
            index=models.Index(condition=models.Q(('is_done', False)), fields=['batch', 'number'], name='payout_chunk_open'),
        ),
        migrations.AddConstraint(
            model_name='payoutchunk',
            constraint=models.UniqueConstraint(fields=('batch', 'number'), name='payout_chunk_once'),
        ),
        migrations.AddConstraint(
            model_name='payoutrow',
            constraint=models.UniqueConstraint(fields=('batch', 'line'), name='payout_line_once'),
        ),
    ]
