"""The mail by which somebody who forgot a password chooses another."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import send_mail
from django.db import transaction
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from payments.models import User
from woovi import outbox

SUBJECT = "Escolha outra senha"
TEXT = """Alguém pediu outra senha para a sua conta {email}. Para escolhê-la, abra este endereço dentro de {hours} horas:

{link}

Se não foi você, não precisa fazer nada.
"""


def ask_for_link(email: str) -> None:
    """Queue the mail. An unknown e-mail queues one too, to nobody, so that nobody can tell them apart by the time."""
    try:
        user_id = User.objects.get_by_natural_key(email).pk
    except User.DoesNotExist:
        user_id = 0
    with transaction.atomic():
        outbox.write("task:mail_password_link", "", {"user_id": user_id})


def mail_link(user_id: int) -> None:
    """Send the mail. The link is made now, so that no secret lies in the queue. Nothing where there is no such user."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None:
        return
    hours = settings.PASSWORD_RESET_TIMEOUT // 3600
    send_mail(SUBJECT, TEXT.format(email=user.email, hours=hours, link=link(user)), None, [user.email])


def link(user: User) -> str:
    """The address at which the user chooses a password, once and for a while. It is secret: only a mail has it."""
    parts = {"uidb64": urlsafe_base64_encode(force_bytes(user.pk)), "token": default_token_generator.make_token(user)}
    return settings.PUBLIC_URL + reverse("web:password-choose", kwargs=parts)
