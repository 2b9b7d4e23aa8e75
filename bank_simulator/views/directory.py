"""Reads of the bank: the key directory in JSON, the list of participants, and the platform's account.

The DICT itself speaks XML over the banks' own network; banks pass it on to their customers as JSON, with its names.
"""

from __future__ import annotations

import json

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from bank_simulator import buckets, directory, shapes
from bank_simulator.problems import DictProblem
from bank_simulator.views.http import Answer, api
from payments.pix import ids, keys

ACCOUNT_BRANCH, ACCOUNT_NUMBER, ACCOUNT_TAX_ID = "0001", "0001234567", "11222333000181"


def get_entry(request: HttpRequest, key: str) -> HttpResponse:
    """Who has the key. The answer says in Cache-Control for how long it may be kept."""
    response = _entry(request, key)
    if response.status_code == 200:
        response["Cache-Control"] = f"private, max-age={directory.FRESH_SECONDS}"
    return response


@api
def _entry(request: HttpRequest, key: str) -> Answer:
    payer = _payer(request)
    buckets.check(payer)
    try:
        found = directory.find(key)
    except DictProblem as problem:
        if problem.kind == "NotFound":
            buckets.charge(payer, buckets.NOT_FOUND)
        raise
    buckets.charge(payer, buckets.FOUND)
    return shapes.entry(found)


def _payer(request: HttpRequest) -> str:
    """Who wants to pay. Raises DictProblem where one of the three headers is missing or wrong."""
    try:
        for_payment = ids.parse(request.headers.get("PI-EndToEndId", ""))
        payer = keys.parse_tax_id(request.headers.get("PI-PayerId", ""))
    except (ids.InvalidId, keys.InvalidKey) as error:
        raise DictProblem("BadRequest", 400, f"Cabeçalho inválido: {error}") from None
    if request.headers.get("PI-RequestingParticipant") != for_payment.ispb:
        raise DictProblem("ParticipantInvalid", 400, "O participante não é o do EndToEndId.")
    return payer


@api
def post_entry(request: HttpRequest) -> Answer:
    """Register a key of the platform's account."""
    try:
        body = json.loads(request.body)
        entry = body["Entry"]
        made = directory.register(
            str(body["RequestId"]), str(entry["KeyType"]), str(entry.get("Key", "")), str(entry["Owner"]["TaxIdNumber"])
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DictProblem("BadRequest", 400, "O corpo não tem o formato do DICT.") from None
    return 201, {"Entry": {"Key": made, "KeyType": entry["KeyType"]}}


@api
def delete_entry(request: HttpRequest, key: str) -> Answer:
    """Take a key of the platform's account out."""
    directory.remove(key)
    return {"Key": key}


@api
def get_participants(request: HttpRequest) -> Answer:
    """Who takes part in Pix."""
    rows = [
        {"ispb": ispb, "nome": name, **({"compe": compe} if compe else {})}
        for ispb, name, compe in directory.PARTICIPANTS
    ]
    return {"participantes": rows}


@api
def get_account(request: HttpRequest) -> Answer:
    """The platform's account."""
    return {
        "ispb": settings.BANK_ISPB,
        "agencia": ACCOUNT_BRANCH,
        "conta": ACCOUNT_NUMBER,
        "tipo": "CACC",
        "titular": {"nome": settings.ACCOUNT_HOLDER, "cnpj": ACCOUNT_TAX_ID},
    }
