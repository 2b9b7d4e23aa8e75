"""The people of a company: invite them, give them a role, switch them off. Somebody can always manage the company."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.core.mail import send_mail
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from payments.models import Company, User
from payments.services import passwords
from payments.services.errors import Duplicate, Invalid, NotFound
from woovi import outbox

MOST = 100  # people of a company, those who are switched off included: an invitation mails a stranger
SUBJECT = "Convite para {company}"
TEXT = """{company} convidou você, {email}, para a conta da empresa. Para escolher a sua senha e entrar, abra este endereço dentro de
{hours} horas:

{link}

Se você não esperava este convite, não precisa fazer nada.
"""


def listing(company: Company) -> QuerySet[User]:
    """The company's people, by e-mail."""
    return User.objects.filter(company=company).order_by("email")


def invite(company: Company, email: str, role: str) -> User:
    """Add somebody to the company, who is mailed a link by which to choose a password.

    Raises:
        Duplicate: somebody, perhaps of another company, has the e-mail.
        Invalid: the company has MOST people.
    """
    with _alone(company):
        if listing(company).count() >= MOST:
            raise Invalid(f"A company may have at most {MOST} people", "email")
        try:
            with transaction.atomic():
                user = User.objects.create_user(email, company=company, role=role)
        except IntegrityError as error:
            raise Duplicate("Somebody has this e-mail already", "email") from error
        _mail(user)
    return user


@transaction.atomic
def added_by_operator(user: User) -> None:
    """Mail a new person the link to choose a password, and tell the company's others. No operator ever has the password."""
    passwords.ask_for_link(user.email)
    outbox.write("task:mail_person_added", str(user.company_id), {"user_id": user.pk})


def invite_again(company: Company, user_id: int) -> User:
    """Mail the link again. Raises NotFound, or Invalid where the person has logged in before, or is switched off."""
    user = _find(company, user_id)
    if user.last_login or not user.is_active:
        raise Invalid("This person needs no invitation")
    with transaction.atomic():
        _mail(user)
    return user


def set_role(company: Company, user_id: int, role: str) -> User:
    """Give a person another role, at once. Raises NotFound, or Invalid for the last owner."""
    with _alone(company):
        user = _find(company, user_id)
        user.role = role
        user.save(update_fields=["role"])
        _insist_on_an_owner(company)
    return user


def set_active(company: Company, user_id: int, active: bool) -> User:
    """Switch a person off, whose sessions end, or on again. Raises NotFound, or Invalid for the last owner."""
    with _alone(company):
        user = _find(company, user_id)
        user.is_active = active
        user.save(update_fields=["is_active"])
        _insist_on_an_owner(company)
    return user


def mail_invitation(user_id: int) -> None:
    """Send the mail. The link is made now, so that no secret lies in the queue. Nothing where there is no such user."""
    user = User.objects.filter(pk=user_id, is_active=True, company__isnull=False).select_related("company").first()
    if user is None or user.company is None:
        return
    parts = {"company": user.company.trade_name, "email": user.email, "link": passwords.link(user)}
    text = TEXT.format(**parts, hours=settings.PASSWORD_RESET_TIMEOUT // 3600)
    send_mail(" ".join(SUBJECT.format(**parts).split()), text, None, [user.email])


@contextmanager
def _alone(company: Company) -> Iterator[None]:
    """A transaction in which nobody else changes the company's people: two owners who demote each other take turns."""
    with transaction.atomic():
        Company.objects.select_for_update(no_key=True).get(pk=company.pk)
        yield


def _find(company: Company, user_id: int) -> User:
    found = listing(company).filter(pk=user_id).first()
    if found is None:
        raise NotFound("There is no such person")
    return found


def _insist_on_an_owner(company: Company) -> None:
    if not listing(company).filter(role=User.Role.OWNER, is_active=True).exists():
        raise Invalid("A company needs an active owner")


def _mail(user: User) -> None:
    outbox.write("task:mail_invitation", str(user.company_id), {"user_id": user.pk})
