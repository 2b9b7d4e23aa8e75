"""The bank's books."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from django.db import models
from django.db.models import Q

from bank_simulator import due
from payments.pix import overdue
from payments.pix.business_days import BRAZIL, local_day


class Charge(models.Model):
    """A charge: immediate (cob), or with a due date (cobv). Expiry is not a status: it follows from `expires_at`."""

    class Status(models.TextChoices):
        ACTIVE = "ATIVA"
        PAID = "CONCLUIDA"
        REMOVED = "REMOVIDA_PELO_USUARIO_RECEBEDOR"

    txid = models.CharField(max_length=35, primary_key=True)
    token = models.CharField(max_length=32, unique=True)  # part of the payload's address
    location = models.CharField(max_length=77)
    br_code = models.CharField(max_length=512)
    pix_key = models.CharField(max_length=77)
    value = models.BigIntegerField()  # centavos
    expires_in = models.PositiveIntegerField()  # seconds
    debtor = models.JSONField(null=True)  # {"cpf" or "cnpj", "nome"}; with a due date also an address
    due_date = models.DateField(null=True)  # of a cobv alone, like the next two
    valid_for = models.PositiveIntegerField(null=True)  # days
    terms = models.JSONField(null=True)  # {"multa", "juros", "desconto"}, as they were sent
    payer_request = models.CharField(max_length=140, blank=True)
    additional_info = models.JSONField(default=list)
    status = models.CharField(max_length=31, choices=Status, default=Status.ACTIVE)
    revision = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()

    @property
    def expires_at(self) -> datetime:
        if self.due_date is None:
            return self.created_at + timedelta(seconds=self.expires_in)
        return datetime.combine(self.due.last_day + timedelta(days=1), time(), BRAZIL)

    @property
    def due(self) -> overdue.Terms:
        """What a cobv is worth on which day."""
        assert self.due_date is not None
        assert self.valid_for is not None
        return due.terms(self.value, self.due_date, self.valid_for, self.terms or {})

    def worth(self, at: datetime) -> int:
        """Centavos to pay at a moment."""
        return self.value if self.due_date is None else overdue.amounts(self.due, local_day(at)).total


class Pix(models.Model):
    """A Pix that came in."""

    end_to_end_id = models.CharField(max_length=32, primary_key=True)
    txid = models.CharField(max_length=35, blank=True, db_index=True)
    pix_key = models.CharField(max_length=77)
    value = models.BigIntegerField()
    payer_tax_id = models.CharField(max_length=14)
    payer_name = models.CharField(max_length=200)
    payer_message = models.CharField(max_length=140, blank=True)
    paid_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["paid_at", "end_to_end_id"], name="pix_by_time")]


class Settlement(models.TextChoices):
    """State of a return or a sent Pix."""

    PROCESSING = "EM_PROCESSAMENTO"
    RETURNED = "DEVOLVIDO"
    SENT = "REALIZADO"
    REFUSED = "NAO_REALIZADO"


class Return(models.Model):
    """Money back to the payer (devolução)."""

    rtr_id = models.CharField(max_length=32, primary_key=True)
    pix = models.ForeignKey(Pix, on_delete=models.PROTECT, related_name="returns")
    return_id = models.CharField(max_length=35)
    nature = models.CharField(max_length=20, default="ORIGINAL")
    value = models.BigIntegerField()
    comment = models.CharField(max_length=140, blank=True)
    status = models.CharField(max_length=16, choices=Settlement, default=Settlement.PROCESSING)
    reason = models.CharField(max_length=140, blank=True)
    requested_at = models.DateTimeField()
    due_at = models.DateTimeField()  # when it settles
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["pix", "return_id"], name="return_once")]
        indexes = [models.Index(fields=["due_at"], name="return_due", condition=Q(status="EM_PROCESSAMENTO"))]


class Sent(models.Model):
    """A Pix that the platform sends, to a key or to an account."""

    send_id = models.CharField(max_length=35, primary_key=True)
    end_to_end_id = models.CharField(max_length=32, unique=True)
    pix_key = models.CharField(max_length=77, blank=True)
    account = models.CharField(max_length=40, blank=True, default="")  # "ispb/branch/number"
    value = models.BigIntegerField()
    message = models.CharField(max_length=140, blank=True)
    status = models.CharField(max_length=16, choices=Settlement, default=Settlement.PROCESSING)
    reason = models.CharField(max_length=140, blank=True)
    requested_at = models.DateTimeField()
    due_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["due_at"], name="sent_due", condition=Q(status="EM_PROCESSAMENTO"))]


class Movement(models.Model):
    """A line of the account's statement. The balance is the sum of all lines and is stored nowhere else."""

    end_to_end_id = models.CharField(max_length=32, primary_key=True)
    value = models.BigIntegerField()  # negative for money that left
    at = models.DateTimeField(db_index=True)


class Webhook(models.Model):
    """Where callbacks for a Pix key go."""

    pix_key = models.CharField(max_length=77, primary_key=True)
    url = models.CharField(max_length=500)
    created_at = models.DateTimeField()


class Entry(models.Model):
    """A Pix key of this bank's customer, in the directory."""

    key = models.CharField(max_length=77, primary_key=True)
    request_id = models.CharField(max_length=36, unique=True)
    tax_id = models.CharField(max_length=14)
    created_at = models.DateTimeField()


class Callback(models.Model):
    """A callback about a Pix, due until the platform has answered it with 200."""

    pix = models.ForeignKey(Pix, on_delete=models.PROTECT, related_name="callbacks")
    due_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["due_at"], name="callback_due", condition=Q(delivered_at=None))]


class Faults(models.Model):
    """How the bank misbehaves, in one row. Percentages are of calls. The same seed gives the same faults again."""

    seed = models.PositiveIntegerField(default=1)
    latency_ms = models.PositiveIntegerField(default=250)
    latency_spread_ms = models.PositiveIntegerField(default=100)  # either way
    unavailable_percent = models.PositiveSmallIntegerField(default=0)  # 503, nothing done
    too_many_percent = models.PositiveSmallIntegerField(default=0)  # 429, nothing done
    timeout_percent = models.PositiveSmallIntegerField(default=0)  # done, but the answer does not come
    timeout_seconds = models.PositiveSmallIntegerField(default=30)  # then 504
    callback_lost_percent = models.PositiveSmallIntegerField(default=0)
    callback_duplicate_percent = models.PositiveSmallIntegerField(default=0)
    callback_reorder_percent = models.PositiveSmallIntegerField(default=0)  # held back, overtaken by later ones
    callback_delay_ms = models.PositiveIntegerField(default=2000)  # longest delay of one held back
    return_refused_percent = models.PositiveSmallIntegerField(default=0)  # NAO_REALIZADO
    settle_ms = models.PositiveIntegerField(default=1000)  # how long returns and sent Pix are EM_PROCESSAMENTO
    listed_after_ms = models.PositiveIntegerField(default=0)  # age from which GET /pix shows a Pix
    token_seconds = models.PositiveIntegerField(default=3600)  # life of an access token
    token_generation = models.PositiveIntegerField(default=1)  # another number makes all tokens invalid
