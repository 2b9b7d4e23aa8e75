"""The connector against the real simulator, over a socket."""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection

from payments import bank
from payments.bank import wire
from payments.bank.connector import PAGE, Connector
from payments.bank.port import (
    Bank,
    BankConflict,
    BankError,
    BankNotFound,
    BankRefused,
    BankUnavailable,
    BankUnknown,
    ChargeOrder,
    Debtor,
    ReturnStatus,
    SendOrder,
    SendStatus,
)
from payments.bank.session import Session
from payments.pix import brcode, ids
from tests.bank_process import PAYER, BankProcess, eventually
from tests.payments.bank.conftest import Charge, Open

pytestmark = pytest.mark.django_db


def window() -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    return now - timedelta(minutes=5), now + timedelta(minutes=5)


def test_a_charge_is_registered_read_paid_and_returned(
    connected: Bank, bank_process: BankProcess, pix_key: str
) -> None:
    order = ChargeOrder(
        ids.new_txid(), 12_345, pix_key, 600, Debtor("11144477735", "Ana"), "Pedido 7 — obrigado", (("Mesa", "4"),)
    )
    made = connected.register_charge(order)
    assert (made.txid, made.status, made.value, made.expires_in) == (order.txid, "ATIVA", 12_345, 600)
    assert brcode.decode(made.br_code).url == made.location
    assert connected.register_charge(order) == made
    assert connected.read_charge(order.txid) == made

    paid = bank_process.pay(order.txid, message="valeu")
    charge = connected.read_charge(order.txid)
    assert charge.status == "CONCLUIDA"
    (pix,) = charge.received
    assert connected.read_received(paid["endToEndId"]) == pix
    assert (pix.value, pix.txid, pix.pix_key) == (12_345, order.txid, pix_key)
    assert (pix.payer_name, pix.payer_tax_id, pix.payer_message) == ("Ana Souza", "11144477735", "valeu")
    assert pix in connected.list_received(*window())

    returned = connected.request_return(pix.end_to_end_id, "r1", 345, "troco")
    assert (returned.value, returned.status) == (345, ReturnStatus.DONE)
    assert returned.end_to_end_id.startswith("D")
    assert connected.request_return(pix.end_to_end_id, "r1", 345) == returned
    assert connected.read_return(pix.end_to_end_id, "r1") == returned
    assert connected.read_received(pix.end_to_end_id).returns == (returned,)


def test_what_the_bank_does_not_know(connected: Bank) -> None:
    unknown = ids.mint("E", "12345678")
    for call in (
        lambda: connected.read_charge(ids.new_txid()),
        lambda: connected.read_received(unknown),
        lambda: connected.read_return(unknown, "r1"),
        lambda: connected.request_return(unknown, "r1", 1),
        lambda: connected.read_sent("nothing"),
    ):
        with pytest.raises(BankNotFound):
            call()


def test_what_the_bank_refuses(connected: Bank, bank_process: BankProcess, pix_key: str, charge: Charge) -> None:
    with pytest.raises(BankRefused) as refused:
        connected.register_charge(ChargeOrder("short", 100, pix_key, 60))
    assert refused.value.code == "CobOperacaoInvalida"
    assert "26 a 35" in refused.value.detail

    paid = charge(500)
    bank_process.pay(paid.txid)
    with pytest.raises(BankRefused):  # it is over: its value cannot change any more
        connected.register_charge(ChargeOrder(paid.txid, 600, pix_key, 3600))
    (pix,) = connected.read_charge(paid.txid).received
    connected.request_return(pix.end_to_end_id, "r1", 300)
    for return_id, value in (("r1", 200), ("r2", 201)):
        with pytest.raises(BankRefused) as refused:
            connected.request_return(pix.end_to_end_id, return_id, value)
        assert refused.value.code == "PixDevolucaoInvalida"
    assert len(connected.read_received(pix.end_to_end_id).returns) == 1


@pytest.mark.parametrize("fault", ["unavailable_percent", "too_many_percent"])
def test_a_bank_that_takes_nothing_is_unavailable(
    connected: Bank, bank_process: BankProcess, pix_key: str, fault: str
) -> None:
    order = ChargeOrder(ids.new_txid(), 100, pix_key, 60)
    bank_process.faults(**{fault: 100})
    with pytest.raises(BankUnavailable):
        connected.register_charge(order)
    bank_process.faults()
    eventually(lambda: is_unknown(connected, order.txid))  # after a 429 it is left alone for a second


def is_unknown(bank: Bank, txid: str) -> bool:
    try:
        bank.read_charge(txid)
    except BankNotFound:
        return True
    except BankUnavailable:
        pass
    return False


def test_no_bank_at_all_is_unavailable(session: Open) -> None:
    nobody = Connector(session("http://127.0.0.1:1"))
    with pytest.raises(BankUnavailable):
        nobody.balance()


def test_wrong_credentials_are_no_refusal(bank_process: BankProcess, session: Open) -> None:
    stranger = Connector(session(bank_process.url, "wrong"))
    with pytest.raises(BankUnavailable) as unavailable:
        stranger.read_charge(ids.new_txid())
    assert "wrong" not in str(unavailable.value)


class _Forbidding(BaseHTTPRequestHandler):
    """A bank whose access control has changed: it gives tokens, and lets them do nothing."""

    status = 403

    def do_POST(self) -> None:
        self._answer(200, {"access_token": "a", "expires_in": 3600})

    def do_PUT(self) -> None:
        self._answer(self.status, {"type": "https://pix.bcb.gov.br/api/v2/error/AcessoNegado"})

    def _answer(self, status: int, fields: dict[str, object]) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.dumps(fields).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_missing_rights_are_no_refusal(session: Open) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Forbidding) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            opened = session(f"http://127.0.0.1:{server.server_address[1]}")
            with pytest.raises(BankUnavailable, match="AcessoNegado"):
                opened.call("PUT", "/pix/a/devolucao/b", body={})
            opened.close()
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, BankUnavailable), (429, BankUnavailable),
        (403, BankUnknown), (404, BankNotFound), (409, BankConflict), (500, BankUnknown), (503, BankUnknown),
        (400, BankRefused), (422, BankRefused),
    ],
)  # fmt: skip
def test_of_what_is_sent_only_a_sure_answer_says_that_nothing_happened(
    session: Open, monkeypatch: pytest.MonkeyPatch, status: int, kind: type[BankError]
) -> None:
    monkeypatch.setattr(_Forbidding, "status", status)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Forbidding) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            opened = session(f"http://127.0.0.1:{server.server_address[1]}")
            with pytest.raises(BankError) as answered:
                Connector(opened).send_pix(SendOrder("a", 100, pix_key="ana@exemplo.com"))
            assert type(answered.value) is kind
            opened.close()
        finally:
            server.shutdown()
            thread.join()


class _Odd(_Forbidding):
    """A bank that answers every call with `status` and `body`."""

    body = b""
    token = b'{"access_token": "a", "expires_in": 3600}'

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.token)))
        self.end_headers()
        self.wfile.write(self.token)

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()


@pytest.fixture
def odd(session: Open, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int, bytes], Connector]]:
    """A connector to a bank that answers so."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Odd) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        connector = Connector(session(f"http://127.0.0.1:{server.server_address[1]}"))

        def answering(status: int, body: bytes) -> Connector:
            monkeypatch.setattr(_Odd, "status", status)
            monkeypatch.setattr(_Odd, "body", body)
            return connector

        yield answering
        server.shutdown()
        thread.join()


ONE = b'{"endToEndId": "E12345678202009091221abcdef12345", "valor": "1.00", "pagador": {"nome": "Jo\xc3\xa3o"}}'
COUNTED = b'"parametros": {"paginacao": {"quantidadeDePaginas": %s}}'
LISTS: list[tuple[bytes, int | None]] = [  # what a bank answers to GET /pix, and how many are in it; None: no list
    (b'{%s, "pix": [%s]}' % (COUNTED % b"1", ONE), 1),
    (b'{%s, "pix": [%s]}' % (COUNTED % b'"1"', ONE), 1),
    (b'{%s, "pix": [%s]}' % (COUNTED % b"0", ONE), 1),
    (b'{%s, "pix": [%s]}' % (COUNTED % b"null", ONE), 1),
    (b'{"parametros": {"inicio": "?"}, "pix": [%s]}' % ONE, 1),
    (b'{"parametros": null, "pix": [%s]}' % ONE, 1),
    (b'{"pix": [%s]}' % ONE, 1),
    (b'{"pix": %s}' % ONE, 1),
    (b'{"pix": [null, 1, %s, {}]}' % ONE, 1),
    (b'{"pix": [%s]}' % ONE.decode().encode("latin-1"), 1),
    (b'{"pix": [%s]}' % ONE.replace(b"\xc3\xa3", b"\n\x01"), 1),
    (b"{%s}" % (COUNTED % b"1"), 0),
    (b'{%s, "pix": null}' % (COUNTED % b"1"), 0),
    (b'{%s, "pix": {}}' % (COUNTED % b"1"), 0),
    (b'{%s, "pix": ""}' % (COUNTED % b"1"), 0),
    (b'{"pix": []}', 0),
    (b'{"pix": 7}', None),
    (b'{"erro": "manutencao"}', None),
    (b"{}", None),
    (b"[]", None),
    (b"null", None),
    (b"", None),
    (b"<html>", None),
    (b'{"pix": ' + b"[" * 100_000, None),
]


@pytest.mark.parametrize(("body", "found"), LISTS, ids=[str(body[:80]) for body, _ in LISTS])
def test_a_list_is_read_however_the_bank_writes_it(
    odd: Callable[[int, bytes], Connector], body: bytes, found: int | None
) -> None:
    connector = odd(200, body)
    if found is None:
        with pytest.raises(BankUnknown):
            list(connector.list_received(*window()))
    else:
        assert len(list(connector.list_received(*window()))) == found


TOKENS = [  # what a bank answers to POST /oauth/token, and whether that can be used
    (b'{"access_token": "a.b-c_d~/+=", "expires_in": "3600"}', True),
    (b'\xef\xbb\xbf{"access_token": "a", "expires_in": 3600.0, "token_type": "bearer"}', True),
    (b'{"access_token": "a"}', True),
    (b'{"access_token": "a", "expires_in": null}', True),
    (b'{"access_token": "a", "expires_in": 1000000000000000000000000000000}', True),
    (b'{"access_token": "a", "expires_in": -5}', True),
    (b'{"access_token": "a", "expires_in": 1e999}', False),
    (b'{"access_token": "a", "expires_in": "soon"}', False),
    (b'{"access_token": "a", "expires_in": {}}', False),
    (b'{"access_token": "\\u00e3"}', False),
    (b'{"access_token": "a\\r\\nX: b"}', False),
    (b'{"access_token": ""}', False),
    (b'{"access_token": null}', False),
    (b'{"access_token": 7}', False),
    (b'{"access_token": ["a"]}', False),
    (b'["a"]', False),
    (b"", False),
    (b"[" * 100_000, False),
]


@pytest.mark.parametrize(("token", "works"), TOKENS, ids=[str(token[:60]) for token, _ in TOKENS])
def test_an_answer_without_a_token_is_a_bank_that_is_away(
    odd: Callable[[int, bytes], Connector], monkeypatch: pytest.MonkeyPatch, token: bytes, works: bool
) -> None:
    monkeypatch.setattr(_Odd, "token", token)
    connector = odd(200, b'{"saldo": "1.00"}')
    if works:
        assert connector.balance() == 100
    else:
        with pytest.raises(BankUnavailable):
            connector.balance()


PROBLEMS = [
    b'{"type": "x/PixDevolucaoInvalida", "detail": "n\\u0000o"}',
    b'{"type": "x/PixDevolucaoInvalida", "detail": "n\\ud800o"}',
    b'{"type": "x/Pix\\u0000Devolucao", "detail": {"a": ["\\u0000"]}}',
    b'{"type": null, "detail": null}',
    b'{"type": "n\xe3o", "detail": "n\xe3o"}',
    b'{"type": "%s", "detail": "%s"}' % (b"x" * 5000, b"y" * 5000),
    b'["no object"]',
    b"<html>no</html>",
    b"\xff\xfe",
    b"[" * 100_000,
    b"",
]


@pytest.mark.parametrize("body", PROBLEMS, ids=[str(body[:60]) for body in PROBLEMS])
def test_a_refusal_in_any_words_fits_a_database(odd: Callable[[int, bytes], Connector], body: bytes) -> None:
    """It is kept as the reason of the refund or payment that it ends."""
    with pytest.raises(BankRefused) as refused:
        odd(400, body).read_return("a", "b")
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s", [str(refused.value)])
        assert cursor.fetchone()[0] == str(refused.value)
    assert len(refused.value.code) < 100


def test_an_answer_lost_after_the_effect_is_unknown_and_the_lookup_finds_it(
    connected: Bank, bank_process: BankProcess, charge: Charge, pix_key: str, session: Open
) -> None:
    order = ChargeOrder(ids.new_txid(), 100, pix_key, 600)
    paid = bank_process.pay(charge(1000).txid)["endToEndId"]
    hasty = Connector(session(bank_process.url, timeout=0.4))
    hasty.balance()  # so that the token is there before the faults are
    bank_process.faults(timeout_percent=100)
    with pytest.raises(BankUnknown) as unknown:
        hasty.register_charge(order)
    assert unknown.value.code == "ReadTimeout"
    with pytest.raises(BankUnknown):
        hasty.request_return(paid, "r1", 400)
    with pytest.raises(BankUnknown):
        hasty.send_pix(SendOrder("s" + order.txid, 70, pix_key))
    bank_process.faults()
    assert connected.read_charge(order.txid).value == 100
    assert connected.read_return(paid, "r1").value == 400
    assert connected.read_sent("s" + order.txid).value == 70
    assert connected.register_charge(order).txid == order.txid
    assert connected.request_return(paid, "r1", 400) == connected.read_return(paid, "r1")


def test_a_gateways_504_is_unknown(connected: Bank, bank_process: BankProcess, pix_key: str) -> None:
    connected.balance()
    bank_process.faults(timeout_percent=100, timeout_seconds=0)
    with pytest.raises(BankUnknown) as unknown:
        connected.register_charge(ChargeOrder(ids.new_txid(), 100, pix_key, 60))
    assert unknown.value.code == "IndisponibilidadePorTempoEsgotado"


def test_a_token_is_shared_by_all_processes_and_renewed_before_its_end(
    bank_process: BankProcess, session: Open
) -> None:
    bank_process.faults(token_seconds=4)
    direct, another = session(bank_process.url), session(bank_process.url)  # as two processes have it
    direct._tokens.reject(direct._tokens.get())  # of a test before
    direct.call("GET", "/sim/balance")
    first = direct._tokens.get()
    assert another._tokens.get() == first
    eventually(lambda: direct.call("GET", "/sim/balance") and direct._tokens.get() != first)
    assert direct._tokens.counts.refused == 0


def test_a_revoked_token_is_renewed_once(bank_process: BankProcess, session: Open) -> None:
    direct = session(bank_process.url)
    direct.call("GET", "/sim/balance")
    first = direct._tokens.get()
    bank_process.faults(token_generation=2)
    direct.call("GET", "/sim/balance")
    assert direct._tokens.get() != first
    bank_process.faults(token_seconds=0)  # no token is ever good
    with pytest.raises(BankUnavailable):
        direct.call("GET", "/sim/balance")


def test_pages_are_read_to_the_end(bank_process: BankProcess, charge: Charge, monkeypatch: pytest.MonkeyPatch) -> None:
    assert PAGE == 1000
    monkeypatch.setattr("payments.bank.connector.PAGE", 2)
    paid = {bank_process.pay(charge().txid)["endToEndId"] for _ in range(5)}
    listed = [pix.end_to_end_id for pix in bank.current().list_received(*window())]
    assert paid <= set(listed)
    assert len(listed) == len(set(listed))
    start, end = window()
    assert list(bank.current().list_received(start - timedelta(days=9), start - timedelta(days=8))) == []
    with pytest.raises(BankRefused):
        list(bank.current().list_received(end, start))


def test_a_long_time_is_read_in_parts_which_no_bank_refuses(
    bank_process: BankProcess, charge: Charge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some banks refuse to list more than five days at once, and after a long outage the cursor would never move."""
    paid = bank_process.pay(charge().txid)["endToEndId"]
    end = datetime.now(UTC)
    asked, call = [], Session.call

    def noted(self: Session, method: str, path: str, **more: Any) -> Any:
        asked.append((more["query"]["inicio"], more["query"]["fim"]))
        return call(self, method, path, **more)

    monkeypatch.setattr(Session, "call", noted)
    for days, parts in ((90, 18), (5, 1), (0, 1)):
        asked.clear()
        start = end - timedelta(days=days)
        found = [pix.end_to_end_id for pix in bank.current().list_received(start, end)]
        assert (paid in found) == bool(days)
        assert len(asked) == parts
        assert (asked[0][0], asked[-1][1]) == (wire.instant(start), wire.instant(end))
        assert all(one[1] == other[0] for one, other in pairwise(asked))
    asked.clear()
    assert paid not in [pix.end_to_end_id for pix in bank.current().list_returned(end - timedelta(days=90), end)]
    assert len(asked) == 18


def test_sending_balance_and_statement_agree(connected: Bank, bank_process: BankProcess, charge: Charge) -> None:
    before = connected.balance()
    send_id = uuid.uuid4().hex
    received = bank_process.pay(charge(5000).txid)["endToEndId"]
    back = connected.request_return(received, "r1", 1200).end_to_end_id
    sent = connected.send_pix(SendOrder(send_id, 700, "ana@exemplo.com", payer_message="salário"))
    assert sent.status == SendStatus.DONE
    assert connected.send_pix(SendOrder(send_id, 700, "ana@exemplo.com")) == sent
    assert connected.read_sent(send_id) == sent
    assert connected.balance() == before + 5000 - 1200 - 700
    lines = {line.end_to_end_id: line.value for line in connected.statement(*window())}
    assert (lines[received], lines[back], lines[sent.end_to_end_id]) == (5000, -1200, -700)
    with pytest.raises(BankRefused):
        connected.send_pix(SendOrder(send_id, 701, "ana@exemplo.com"))
    with pytest.raises(BankRefused) as refused:
        connected.send_pix(SendOrder(uuid.uuid4().hex, 1, "pix-key-not-found@woovi.com"))
    assert refused.value.code == "ChaveNaoEncontrada"


def test_sent_pix_and_returns_end_later_or_fail(connected: Bank, bank_process: BankProcess, charge: Charge) -> None:
    paid = bank_process.pay(charge(1000).txid)["endToEndId"]
    before = connected.balance()
    bank_process.faults(settle_ms=300, return_refused_percent=100)
    assert connected.request_return(paid, "r1", 1000).status == ReturnStatus.PROCESSING
    eventually(lambda: connected.read_return(paid, "r1").status == ReturnStatus.REFUSED)
    assert connected.read_return(paid, "r1").reason
    assert connected.balance() == before
    bank_process.faults(settle_ms=300)
    assert connected.request_return(paid, "r2", 1000).status == ReturnStatus.PROCESSING  # the refused one frees it
    failing = connected.send_pix(SendOrder(uuid.uuid4().hex, 5, "bank-error@woovi.com"))
    assert failing.status == SendStatus.PROCESSING
    eventually(lambda: connected.read_return(paid, "r2").status == ReturnStatus.DONE)
    eventually(lambda: connected.read_sent(failing.send_id).status == SendStatus.REFUSED)
    assert connected.balance() == before - 1000


def test_a_payment_to_a_codes_key(connected: Bank, charge: Charge) -> None:
    code = brcode.encode(brcode.BrCode("Ana", "Recife", key="ana@exemplo.com", value=900))
    assert connected.send_pix(SendOrder(uuid.uuid4().hex, 900, br_code=code)).value == 900
    with pytest.raises(BankRefused):
        connected.send_pix(SendOrder(uuid.uuid4().hex, 901, br_code=code))


def test_nothing_secret_is_logged_or_raised(
    bank_process: BankProcess, caplog: pytest.LogCaptureFixture, pix_key: str, session: Open
) -> None:
    caplog.set_level(logging.DEBUG)
    direct = session(bank_process.url, timeout=0.4)
    connected = Connector(direct)
    connected.balance()
    bank_process.faults(timeout_percent=100)
    with pytest.raises(BankUnknown) as unknown:
        connected.set_callback(pix_key, "http://127.0.0.1:1")
    secrets = (direct._tokens.get(), "simulated-bank-secret", PAYER["taxID"])
    assert not any(secret in caplog.text for secret in secrets)
    assert unknown.value.__cause__ is None
    assert unknown.value.__suppress_context__
    assert pix_key not in str(unknown.value)


def test_one_connector_a_process_and_bank(settings, bank_process: BankProcess) -> None:  # type: ignore[no-untyped-def]
    first = bank.current()
    assert bank.current() is first
    settings.BANK_URL = "http://127.0.0.1:1"
    assert bank.current() is not first
