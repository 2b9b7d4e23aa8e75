"""Static QR codes, and which of them a Pix paid."""

import django.db.models.deletion
import django.utils.timezone
import payments.models.base
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("payments", "0027_by_time"),
    ]

    operations = [
        migrations.CreateModel(
            name='QrCode',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', payments.models.base.PublicIdField(default=payments.models.base.new_public_id, editable=False, max_length=24, unique=True)),
                ('correlation_id', models.CharField(default=payments.models.base.new_correlation_id, max_length=255)),
                ('name', models.CharField(max_length=140)),
                ('value', models.BigIntegerField(null=True)),
                ('comment', models.CharField(blank=True, max_length=140)),
                ('identifier', models.CharField(max_length=25)),
                ('pix_key', models.CharField(max_length=77)),
                ('br_code', models.CharField(max_length=512)),
                ('payment_link_id', models.UUIDField(default=uuid.uuid4, unique=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('updated_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('deleted_at', models.DateTimeField(null=True)),
                ('company', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='qr_codes', to='payments.company')),
            ],
            options={
                'verbose_name': 'static QR code',
            },
        ),
        migrations.AddField(
            model_name='receivedpix',
            name='qr_code',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='received', to='payments.qrcode'),
        ),
        migrations.AddIndex(
            model_name='qrcode',
            index=models.Index(fields=['company', '-created_at'], name='qr_code_by_company'),
        ),
        migrations.AddConstraint(
            model_name='qrcode',
            constraint=models.UniqueConstraint(fields=('company', 'correlation_id'), name='qr_code_correlation_id_once'),
        ),
        migrations.AddConstraint(
            model_name='qrcode',
            constraint=models.UniqueConstraint(fields=('company', 'identifier'), name='qr_code_identifier_once'),
        ),
        migrations.AddConstraint(
            model_name='qrcode',
            constraint=models.CheckConstraint(condition=models.Q(('value', None), ('value__gt', 0), _connector='OR'), name='qr_code_value_positive'),
        ),
    ]
