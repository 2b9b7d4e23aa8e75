"""The payer's pages: paste a code, see what it asks for, pay it; the Pix that were paid; the faults."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation.trans_real import parse_accept_lang_header
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_GET, require_http_methods

from bank_simulator import books, callbacks, faults, translations
from bank_simulator.models import Charge, Pix
from bank_simulator.problems import Problem
from payments.pix import keys

POLICY = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
STATIC = {"bank.css": "text/css", "bank.svg": "image/svg+xml"}
LISTED = 50  # Pix on one page
FAULT_GROUPS = {
    "group_calls": ("latency_ms", "latency_spread_ms", "unavailable_percent", "too_many_percent",
                    "timeout_percent", "timeout_seconds"),
    "group_callbacks": ("callback_lost_percent", "callback_duplicate_percent", "callback_reorder_percent",
                        "callback_delay_ms", "listed_after_ms"),
    "group_settling": ("return_refused_percent", "settle_ms"),
    "group_rest": ("token_seconds", "token_generation", "seed"),
}  # fmt: skip


@dataclass(frozen=True)
class Person:
    """Somebody who pays on the page."""

    tax_id: str
    name: str

    @property
    def masked(self) -> str:
        return keys.mask_tax_id(self.tax_id)


def _person(base: str, name: str) -> Person:
    return Person(base + keys.check_digits(base), name)


PEOPLE = [
    _person("111444777", "Ana Souza"),
    _person("529982247", "Bruno Lima"),
    _person("390533447", "Célia Ramos"),
    _person("112223330001", "Padaria Pão Quente Ltda"),
]
STRANGER = _person("935411347", "Zé Ninguém")


@require_GET
def static(request: HttpRequest, name: str) -> HttpResponse:
    """A file of `static/`. Django's own view is not used: it streams synchronously, of which ASGI warns."""
    if name not in STATIC:
        raise Http404
    body = (settings.HERE / "static" / name).read_bytes()
    return HttpResponse(body, content_type=STATIC[name], headers={"Cache-Control": "max-age=300"})


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """The page to paste a code."""
    return _page(request, "home.html", {})


@csrf_protect
@require_http_methods(["GET", "POST"])
def pay(request: HttpRequest) -> HttpResponse:
    """Show what `code` asks for, or (POST) pay it."""
    sent = request.POST if request.method == "POST" else request.GET
    code, t = sent.get("code", ""), _translation(request)
    try:
        target = books.read_code(code)
    except Problem as problem:
        return _page(request, "home.html", {"code": code, "error": _refusal(problem, t)}, problem.status)
    error = ""
    if request.method == "POST":
        try:
            paid = _carry_out(request, target)
            callbacks.send_soon()
            return HttpResponseRedirect(f"/paid?{urlencode({'new': paid.end_to_end_id})}")
        except Problem as problem:
            error = _refusal(problem, t)
    context = {
        "code": code,
        "target": target,
        "receiver": settings.ACCOUNT_HOLDER,
        "error": error,
        "people": _people(target),
        "sent": request.POST,
    }
    return _page(request, "pay.html", {**context, "state": _state(target)}, 422 if error else 200)


@require_GET
def paid(request: HttpRequest) -> HttpResponse:
    """The latest Pix; `?new=` marks one."""
    rows = Pix.objects.prefetch_related("returns", "callbacks").order_by("-paid_at")[:LISTED]
    new = Pix.objects.filter(pk=request.GET.get("new", "")[:32].replace("\0", "")).first()
    return _page(request, "paid.html", {"rows": rows, "new": new})


@csrf_protect
@require_http_methods(["GET", "POST"])
def faults_page(request: HttpRequest) -> HttpResponse:
    """Show the faults, or (POST) change them."""
    error = saved = ""
    t = _translation(request)
    if request.method == "POST":
        try:
            if "reset" in request.POST:
                faults.reset()
            else:
                known = faults.as_dict()
                faults.change({name: _whole(name, request.POST.get(name, "")) for name in known})
            saved = t["saved"]
        except Problem as problem:
            error = f"{t['error_fault']}: {t.get(problem.field, problem.field)}"
    now = faults.as_dict()
    groups = [(t[group], [(name, t[name], now[name]) for name in names]) for group, names in FAULT_GROUPS.items()]
    return _page(request, "faults.html", {"groups": groups, "error": error, "saved": saved}, 422 if error else 200)


def _carry_out(request: HttpRequest, target: books.Target) -> Pix:
    """Pay as the pressed button says. Returns the (last) Pix."""
    action = request.POST.get("action", "pay")
    payer = STRANGER if action == "stranger" else _chosen(request, target)
    value = _value(request.POST.get("value", "")) if action == "other_value" or not target.value else None
    callback = request.POST.get("callback", "normal")
    for _ in range(2 if action == "twice" else 1):
        done = books.pay(
            target,
            books.Payer(payer.tax_id, payer.name),
            value=value,
            force=action in {"twice", "late", "other_value"},
            callback=callback,
            now=books.after_expiry(target) if action == "late" else None,
        )
    return done


def _people(target: books.Target) -> list[Person]:
    """Who may pay: the charge's debtor first, where it names one."""
    debtor = target.charge.debtor if target.charge else None
    if not debtor:
        return PEOPLE
    first = Person(debtor.get("cpf") or debtor["cnpj"], debtor["nome"])
    return [first, *(person for person in PEOPLE if person.tax_id != first.tax_id)]


def _chosen(request: HttpRequest, target: books.Target) -> Person:
    choice = request.POST.get("payer", "")
    for person in _people(target):
        if person.tax_id == choice:
            return person
    name = request.POST.get("name", "").replace("\0", "").strip()[:200]
    try:
        number = keys.parse_tax_id(request.POST.get("tax_id", ""))
    except keys.InvalidKey:
        number = ""
    if not name or not number:
        raise Problem("PagamentoInvalido", 422, "Pagador inválido.", "payer")
    return Person(number, name)


def _value(text: str) -> int:
    """Centavos of what a person types: 10, 10,00, 10.00 or 1.234,56."""
    plain = text.strip().removeprefix("R$").strip()
    plain = plain.replace(".", "").replace(",", ".") if "," in plain else plain
    match = re.fullmatch(r"([0-9]{1,10})(?:\.([0-9]{1,2}))?", plain)
    if not match or not (centavos := int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))):
        raise Problem("PagamentoInvalido", 422, "Valor inválido.", "typed_value")
    return centavos


def _whole(name: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", text):
        raise Problem("FalhaInvalida", 422, "must be a whole number", name)
    return int(text)


def _state(target: books.Target) -> str:
    if target.charge is None:
        return "static"
    if target.charge.status == Charge.Status.ACTIVE:
        return "expired" if timezone.now() > target.charge.expires_at else "open"
    return "paid" if target.charge.status == Charge.Status.PAID else "removed"


def _refusal(problem: Problem, t: dict[str, str]) -> str:
    """The refusal in the page's language."""
    code_errors = {"CobPayloadNaoEncontrado": "error_unknown", "ChaveNaoEncontrada": "error_key"}
    key = {
        "br_code": code_errors.get(problem.kind, "error_code"),
        "status": "error_status",
        "expiracao": "error_expired",
        "value": "error_other_value",
        "typed_value": "error_value",
        "payer": "error_payer",
    }.get(problem.field)
    return t[key] if key else problem.detail


def _translation(request: HttpRequest) -> dict[str, str]:
    """The page's language: of `?lang=`, else of the cookie that it set, else the browser's first that we have."""
    wanted = request.GET.get("lang") or request.COOKIES.get("bank_lang")
    if wanted in {"pt", "en"}:
        return translations.EN if wanted == "en" else translations.PT
    for tag, _ in parse_accept_lang_header(request.headers.get("Accept-Language", "")):
        if tag.startswith(("pt", "en")):
            return translations.EN if tag.startswith("en") else translations.PT
    return translations.PT


def _page(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    t = _translation(request)
    english = t is translations.EN
    query = request.GET.copy()
    if code := context.get("code"):
        query["code"] = code
    query["lang"] = "pt" if english else "en"
    context |= {"t": t, "english": english, "switch": f"?{query.urlencode()}", "path": request.path}
    response = render(request, f"bank/{template}", context, status=status)
    if request.GET.get("lang") in {"pt", "en"}:
        response.set_cookie("bank_lang", request.GET["lang"], max_age=31_536_000, httponly=True, samesite="Lax")
    response["Content-Security-Policy"] = POLICY
    response["X-Content-Type-Options"] = "nosniff"
    response["Referrer-Policy"] = "same-origin"
    response["Vary"] = "Accept-Language, Cookie"
    response["Cache-Control"] = "no-store"
    return response
