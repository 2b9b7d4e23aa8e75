from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import pytest

from payments import bank
from payments.bank.directory import KeyOwner
from payments.bank.port import BankNotFound, BankSent, SendOrder, SendStatus, not_sent
from payments.models import Account, Company, PayoutBatch, User
from payments.services import batches
from payments.services.charges import receiving
from tests.payments import making

HEADER = "identificador;chave;valor;descricao\n"


class BankInProcess:
    """A bank that answers at once. It keeps what it was asked: `sent` by id, and every call."""

    def __init__(self) -> None:
        self.sent: dict[str, BankSent] = {}
        self.keys: dict[str, str] = {}
        self.calls = 0
        self.before: Callable[[SendOrder], None] = lambda order: None
        self.after: Callable[[SendOrder], None] = lambda order: None

    def send_pix(self, order: SendOrder) -> BankSent:
        self.calls += 1
        self.before(order)
        status = SendStatus.REFUSED if order.pix_key.startswith("bad") else SendStatus.DONE
        made = BankSent(
            order.send_id, f"E{len(self.sent):031d}", order.value, status, "" if status == "REALIZADO" else "AC06 - no"
        )
        self.sent.setdefault(order.send_id, made)
        self.keys[order.send_id] = order.pix_key
        self.after(order)
        return self.sent[order.send_id]

    def lookup_key(self, *_: str) -> KeyOwner:
        raise not_sent("ConnectError")

    def read_sent(self, send_id: str) -> BankSent:
        if send_id not in self.sent:
            raise BankNotFound("PixEnvioNaoEncontrado")
        return self.sent[send_id]

    @property
    def paid(self) -> int:
        return sum(each.value for each in self.sent.values() if each.status == SendStatus.DONE)


@pytest.fixture(autouse=True)
def _stays() -> Iterator[None]:
    """A test that ended a worker of this process ends none of the next one's."""
    batches.leaving.clear()
    yield
    batches.leaving.clear()


@pytest.fixture
def quick_bank(monkeypatch: pytest.MonkeyPatch) -> BankInProcess:
    made = BankInProcess()
    monkeypatch.setattr(bank, "current", lambda: made)
    return made


@pytest.fixture
def shop(transactional_db: None) -> Company:
    """A company with 999,500 centavos."""
    made = making.company()
    receiving.receive(making.pix(pix_key=made.pix_key, value=1_000_000))
    return made


@pytest.fixture
def maker(shop: Company) -> User:
    return User.objects.create_user("maker@example.com", company=shop)


@pytest.fixture
def checker(shop: Company) -> User:
    return User.objects.create_user("checker@example.com", company=shop)


def csv_of(count: int, *, first: int = 1, bad: int = 0) -> str:
    """Rows of 1.00 to `count` people, of which the last `bad` have keys that the bank refuses."""
    rows = [
        f"id-{n};{'bad' if n >= first + count - bad else 'ana'}{n}@exemplo.com;1,00;Linha {n}\n"
        for n in range(first, first + count)
    ]
    return HEADER + "".join(rows)


@pytest.fixture
def uploaded(shop: Company, maker: User) -> Callable[[str], PayoutBatch]:
    return lambda text: batches.upload(shop, maker, "folha.csv", io.BytesIO(text.encode()))


@pytest.fixture
def approved(uploaded: Callable[[str], PayoutBatch], checker: User) -> Callable[[str], PayoutBatch]:
    """A batch that runs, though no worker has begun."""

    def make(text: str) -> PayoutBatch:
        batch = batches.submit(uploaded(text))
        return batches.approve(batch, checker, batch.signature)

    return make


def money(company: Company) -> tuple[int, int]:
    """Centavos of the MERCHANT account: posted, and held."""
    account = Account.objects.get(company=company, kind="MERCHANT")
    return account.posted, account.pending_out


def pay_all(batch: PayoutBatch) -> PayoutBatch:
    while batches.pay(batch.pk):
        pass
    batch.refresh_from_db()
    return batch
