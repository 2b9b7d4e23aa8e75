"""The key directory (DICT) and the list of participants, as the bank tells them.

The owner of a key is invented from the key's hash, so that every key that can be typed has one, and always the same. Some keys
have none or are blocked, for tests; `docs/bank.md` lists them. The platform registers random keys and its companies' tax ids.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings
from django.utils import timezone

from bank_simulator import books, models
from bank_simulator.problems import DictProblem
from payments.pix import keys
from payments.pix.keys import KeyType, PixKey

# Name, ISPB and COMPE are public facts of the Central Bank's list. A payment institution may have no COMPE.
PARTICIPANTS = [
    ("00000000", "BCO DO BRASIL S.A.", "001"),
    ("00360305", "CAIXA ECONOMICA FEDERAL", "104"),
    ("00416968", "BANCO INTER", "077"),
    ("10573521", "MERCADO PAGO IP LTDA.", "323"),
    ("18236120", "NU PAGAMENTOS - IP", "260"),
    ("31872495", "BCO C6 S.A.", "336"),
    ("54811417", "WOOVI IP LTDA.", ""),
    ("60701190", "ITAÚ UNIBANCO S.A.", "341"),
    ("60746948", "BCO BRADESCO S.A.", "237"),
    ("90400888", "BCO SANTANDER (BRASIL) S.A.", "033"),
    (settings.PAYER_ISPB, "BANCO SIMULADO DO PAGADOR", ""),
]
PEOPLE = ["Ana Souza", "Bruno Lima", "Célia Ramos", "Davi Rocha", "Elisa Prado", "Fábio Nunes"]
COMPANIES = ["Padaria Pão Quente Ltda", "Oficina do Zeca Ltda", "Livraria Aurora S.A.", "Mercado Bom Preço Ltda"]
UNKNOWN = ("pix-key-not-found@woovi.com", "@ninguem.example")  # nobody has a key that ends so
BLOCKED = "@bloqueado.example"  # keys of an account suspected of fraud
OPENED = datetime(2020, 1, 10, 3, tzinfo=UTC)
FRESH_SECONDS = 60  # how long an entry may be kept, by Cache-Control


@dataclass(frozen=True)
class Entry:
    """Who has a key, and where."""

    key: PixKey
    ispb: str
    branch: str
    account: str
    account_type: str
    tax_id: str
    name: str

    @property
    def is_company(self) -> bool:
        return len(self.tax_id) == 14


def find(text: str) -> Entry:
    """The entry of a key. Raises DictProblem where it is no key, nobody has it, it is blocked, or its account is here."""
    try:
        key = keys.parse(text)
    except keys.InvalidKey:
        raise DictProblem("BadRequest", 400, "A chave não tem um formato válido.", "Key") from None
    if key.value.endswith(UNKNOWN):
        raise DictProblem("NotFound", 404, "Ninguém tem esta chave.")
    if key.value.endswith(BLOCKED):
        raise DictProblem("EntryBlocked", 400, "A conta desta chave está bloqueada.")
    if books.owned(key.value):
        raise DictProblem("EntryCannotBeQueriedForBookTransfer", 400, "A conta desta chave é deste banco.")
    return _invented(key)


def register(request_id: str, key_type: str, text: str, tax_id: str) -> str:
    """Register a key, once for each request. Returns it. Raises DictProblem."""
    if known := models.Entry.objects.filter(request_id=request_id).first():
        return known.key
    key = text or str(uuid.uuid4())
    if (key_type == KeyType.EVP) == bool(text) or (text and text != tax_id):
        raise DictProblem("EntryInvalid", 400, "A chave não pode ser registrada para este dono.", "Key")
    made = {"request_id": request_id, "tax_id": tax_id, "created_at": timezone.now()}
    entry, _ = models.Entry.objects.get_or_create(key=key, defaults=made)
    if entry.request_id != request_id:
        raise DictProblem("EntryAlreadyExists", 400, "A chave já está registrada.", "Key")
    return key


def remove(key: str) -> None:
    """Take a key out. Raises DictProblem where it is not there."""
    if not models.Entry.objects.filter(pk=key).delete()[0]:
        raise DictProblem("NotFound", 404, "A chave não está registrada aqui.")


def _invented(key: PixKey) -> Entry:
    number = int.from_bytes(hashlib.sha256(key.value.encode()).digest()[:8])
    others = [ispb for ispb, _, _ in PARTICIPANTS if ispb != settings.BANK_ISPB]
    is_company = key.type is KeyType.CNPJ or (key.type is KeyType.EVP and number % 4 == 0)
    names = COMPANIES if is_company else PEOPLE
    tax_id = key.value if key.type in {KeyType.CPF, KeyType.CNPJ} else _tax_id(number, 12 if is_company else 9)
    return Entry(
        key=key,
        ispb=others[number // 7 % len(others)],
        branch="0001",
        account=f"{number // 11 % 10**9:010d}",
        account_type="CACC",
        tax_id=tax_id,
        name=names[number // 13 % len(names)],
    )


def _tax_id(number: int, digits: int) -> str:
    base = f"{number // 17 % 10**digits:0{digits}d}"
    return base + keys.check_digits(base)
