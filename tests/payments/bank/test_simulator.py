"""The simulator's own tools and pages, over HTTP."""

from __future__ import annotations

import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from bank_simulator import translations
from payments.bank.port import Bank, SendOrder
from payments.pix import brcode, ids
from tests.bank_process import PAYER, BankProcess, eventually
from tests.payments.bank.conftest import Charge
from tests.payments.bank.receiver import Receiver

pytestmark = pytest.mark.django_db
PROBLEM = "application/problem+json"


def refused(bank: BankProcess, body: dict[str, Any]) -> dict[str, Any]:
    answer = bank.http.post("/sim/pay", json=body)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == PROBLEM
    problem: dict[str, Any] = answer.json()
    return problem


def test_a_second_payment_is_refused_unless_forced(bank_process: BankProcess, charge: Charge, connected: Bank) -> None:
    made = charge(1000)
    first = bank_process.pay(made.txid)["endToEndId"]
    assert refused(bank_process, {"txid": made.txid, "payer": PAYER})["status"] == 422
    second = bank_process.pay(made.txid, force=True)["endToEndId"]
    assert [pix.end_to_end_id for pix in connected.read_charge(made.txid).received] == [first, second]


def test_another_value_is_refused_unless_forced(bank_process: BankProcess, charge: Charge) -> None:
    made = charge(1000)
    assert refused(bank_process, {"txid": made.txid, "payer": PAYER, "value": 999})
    assert bank_process.pay(made.txid, value=999, force=True)["value"] == 999


def test_a_late_payment_bears_a_time_after_the_charges_end(
    bank_process: BankProcess, charge: Charge, connected: Bank, receiver: Receiver
) -> None:
    made = charge(1000, expires_in=300)
    paid = bank_process.pay(made.txid, late=True)
    assert (datetime.fromisoformat(paid["paidAt"]) - made.created_at).total_seconds() > 300
    eventually(lambda: paid["endToEndId"] in receiver.told)


def test_an_expired_charge_is_refused_unless_forced(bank_process: BankProcess, charge: Charge) -> None:
    made = charge(1000, expires_in=1)
    eventually(lambda: bank_process.http.get(f"/qr/v2/cob/{made.location.rpartition('/')[2]}").status_code == 410)
    assert "expirou" in refused(bank_process, {"txid": made.txid, "payer": PAYER})["detail"]
    assert bank_process.pay(made.txid, force=True)


def test_the_same_end_to_end_id_is_the_same_payment(bank_process: BankProcess, charge: Charge) -> None:
    made, given = charge(1000), ids.mint("E", "12345678")
    before = bank_process.http.get("/paid").text.count(given)
    first = bank_process.pay(made.txid, endToEndId=given)
    assert bank_process.pay(made.txid, endToEndId=given, force=True) == first
    assert bank_process.http.get("/paid").text.count(given) == before + 1


def test_static_codes_are_paid_and_those_without_txid_are_loose(
    bank_process: BankProcess, connected: Bank, pix_key: str, receiver: Receiver
) -> None:
    def pay(**fields: Any) -> str:
        code = brcode.encode(brcode.BrCode("Loja", "Recife", key=pix_key, **fields))
        answer = bank_process.http.post("/sim/pay", json={"br_code": code, "payer": PAYER})
        assert answer.status_code == 201
        end_to_end_id: str = answer.json()["endToEndId"]
        return end_to_end_id

    loose, named = pay(value=500), pay(value=700, txid="MESA4")
    assert connected.read_received(loose).txid == ""
    assert connected.read_received(named).txid == "MESA4"
    eventually(lambda: receiver.told == [named])
    open_code = brcode.encode(brcode.BrCode("Loja", "Recife", key=pix_key))
    assert refused(bank_process, {"br_code": open_code, "payer": PAYER})["status"] == 422


def test_the_key_of_a_code_is_read_as_the_dict_writes_it(
    bank_process: BankProcess, connected: Bank, receiver: Receiver
) -> None:
    key = f"{uuid.uuid4().hex}@loja.example"
    connected.set_callback(key, receiver.url)  # now somebody has it
    code = brcode.encode(brcode.BrCode("Loja", "Recife", key=key.upper(), value=700))
    paid = bank_process.http.post("/sim/pay", json={"br_code": f"\ufeff{code[:40]}\n{code[40:]}", "payer": PAYER})
    assert paid.status_code == 201, paid.text
    assert connected.read_received(paid.json()["endToEndId"]).pix_key == key


@pytest.mark.parametrize("key", ["11111111111", "vendas%loja@exemplo.com", "nobody", "+0511999999999"])
def test_a_code_with_a_key_that_the_dict_cannot_hold_is_not_paid(bank_process: BankProcess, key: str) -> None:
    code = brcode.encode(brcode.BrCode("Loja", "Recife", key=key, value=700))
    assert "chave" in refused(bank_process, {"br_code": code, "payer": PAYER})["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"txid": "x"},
        {"txid": "x" * 32, "payer": PAYER},
        {"br_code": "000201", "payer": PAYER},
        {"br_code": "\0", "payer": PAYER},
        {"txid": "x" * 32, "payer": {"taxID": "11111111111", "name": "A"}},
        {"txid": "x" * 32, "payer": PAYER, "value": "10"},
        {"txid": "x" * 32, "payer": PAYER, "value": 1.5},
        {"txid": "x" * 32, "payer": PAYER, "callback": "never"},
        {"txid": "x" * 32, "payer": PAYER, "endToEndId": "E1"},
    ],
)
def test_a_bad_payment_is_a_problem(bank_process: BankProcess, body: dict[str, Any]) -> None:
    assert refused(bank_process, body)["detail"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"valor": {"original": "10"}}, "valor.original"),
        ({"valor": {"original": 10.0}}, "valor.original"),
        ({"valor": {"original": "0.00"}}, "valor.original"),
        ({"valor": []}, "valor.original"),
        ({"calendario": {"expiracao": 0}}, "calendario.expiracao"),
        ({"calendario": {"expiracao": True}}, "calendario.expiracao"),
        ({"chave": "nada"}, "chave"),
        ({"chave": None}, "chave"),
        ({"devedor": {"cpf": "11111111111", "nome": "A"}}, "devedor.cpf"),
        ({"devedor": {"cpf": "11144477735"}}, "devedor.nome"),
        ({"solicitacaoPagador": "x" * 141}, "solicitacaoPagador"),
        ({"solicitacaoPagador": "\0"}, "solicitacaoPagador"),
        ({"infoAdicionais": [{"nome": "x"}]}, "infoAdicionais"),
    ],
)
def test_a_bad_charge_is_a_problem_that_names_the_field(
    api: httpx.Client, pix_key: str, change: dict[str, Any], field: str
) -> None:
    body = {"valor": {"original": "10.00"}, "chave": pix_key, **change}
    answer = api.put(f"/cob/{ids.new_txid()}", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (400, PROBLEM)
    assert answer.json()["violacoes"][0]["propriedade"] == field


def test_a_charge_is_revised_while_active_and_then_removed(api: httpx.Client, pix_key: str) -> None:
    body = {"valor": {"original": "10.00"}, "chave": pix_key}
    made = api.post("/cob", json=body).json()
    path = f"/cob/{made['txid']}"
    again = api.put(path, json={**body, "valor": {"original": "11.00"}}).json()
    assert (again["revisao"], again["valor"]["original"]) == (1, "11.00")
    assert again["pixCopiaECola"] == made["pixCopiaECola"]
    assert api.patch(path, json={"valor": {"original": "12.00"}}).json()["revisao"] == 2
    removed = "REMOVIDA_PELO_USUARIO_RECEBEDOR"
    assert api.patch(path, json={"status": removed, "chave": pix_key}).status_code == 400
    assert api.patch(path, json={"status": removed}).json()["status"] == removed
    assert api.put(path, json=body).status_code == 400


def test_no_token_no_answer(bank_process: BankProcess) -> None:
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic eA=="}):
        answer = bank_process.http.get(f"/cob/{ids.new_txid()}", headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (401, PROBLEM)
    assert bank_process.http.delete("/cob").status_code == 405
    assert bank_process.http.post("/oauth/token", auth=("woovi", "x")).status_code == 401


@pytest.mark.parametrize("path", ["/cob/%00", "/pix/%00", "/pix?txid=%00", "/webhook/%00", "/sim/pix/a%00"])
def test_a_nul_in_an_address_is_a_problem(api: httpx.Client, path: str) -> None:
    assert api.get(path).status_code == 400


def test_webhooks(api: httpx.Client, pix_key: str) -> None:
    path = f"/webhook/{pix_key}"
    assert api.get(path).status_code == 404
    assert api.put(path, json={"webhookUrl": "ftp://x"}).status_code == 400
    assert api.put(path, json={"webhookUrl": "http://127.0.0.1:1/bank"}).status_code == 200
    assert api.get(path).json()["webhookUrl"] == "http://127.0.0.1:1/bank"
    assert api.delete(path).status_code == 204
    assert api.delete(path).status_code == 404


@pytest.mark.parametrize("body", [{"latency_ms": -1}, {"latency_ms": "1"}, {"timeout_percent": 101}, {"typo": 1}, []])
def test_nonsense_faults_are_refused(bank_process: BankProcess, body: Any) -> None:
    before = bank_process.http.get("/sim/faults").json()
    answer = bank_process.http.put("/sim/faults", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (400, PROBLEM)
    assert bank_process.http.get("/sim/faults").json() == before


def test_the_same_seed_brings_the_same_luck(bank_process: BankProcess, api: httpx.Client) -> None:
    def luck() -> list[int]:
        bank_process.faults(unavailable_percent=40, too_many_percent=40, seed=7)
        return [api.get(f"/cob/{ids.new_txid()}").status_code for _ in range(20)]

    first = luck()
    assert luck() == first
    assert {404, 429, 503} == set(first)


def test_latency_is_for_the_api_only(bank_process: BankProcess, api: httpx.Client, charge: Charge) -> None:
    made = charge()
    bank_process.faults(latency_ms=5000, latency_spread_ms=0)
    assert bank_process.http.post("/sim/pay", json={"txid": made.txid, "payer": PAYER}).elapsed.total_seconds() < 5
    assert api.get(f"/cob/{made.txid}").elapsed.total_seconds() >= 5


class Browser:
    """A person with cookies and forms."""

    def __init__(self, url: str, language: str) -> None:
        self.http = httpx.Client(base_url=url, headers={"Accept-Language": language}, follow_redirects=True)

    def press(self, path: str, form: dict[str, str], **query: str) -> httpx.Response:
        page = self.http.get(path, params=query).text
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        assert token
        return self.http.post(path, data={"csrfmiddlewaretoken": token[1], **query, **form})


@pytest.fixture
def browser(bank_process: BankProcess) -> Any:
    opened = Browser(bank_process.url, "pt-BR,en;q=0.5")
    yield opened
    opened.http.close()


def test_a_person_pays(browser: Browser, charge: Charge, connected: Bank) -> None:
    made = charge(123_456)
    page = browser.http.get("/pay", params={"code": made.br_code})
    assert "R$ 1.234,56" in page.text
    assert "Aguardando pagamento" in page.text
    done = browser.press("/pay", {"action": "pay", "payer": "52998224725"}, code=made.br_code)
    (pix,) = connected.read_charge(made.txid).received
    assert done.url.path == "/paid"
    assert pix.end_to_end_id in done.text
    assert pix.payer_name == "Bruno Lima"
    again = browser.press("/pay", {"action": "pay", "payer": "52998224725"}, code=made.br_code)
    assert again.status_code == 422
    assert "não pode mais ser paga" in again.text


def test_the_test_tools(browser: Browser, charge: Charge, connected: Bank) -> None:
    def pressed(action: str, **form: str) -> Any:
        made = charge(1000)
        browser.press("/pay", {"action": action, "payer": "52998224725", **form}, code=made.br_code)
        return made, connected.read_charge(made.txid).received

    assert len(pressed("twice")[1]) == 2
    made, (late,) = pressed("late")
    assert (late.paid_at - made.created_at).total_seconds() > made.expires_in
    assert pressed("stranger")[1][0].payer_tax_id != "52998224725"
    assert pressed("other_value", value="1.234,5")[1][0].value == 123_450
    (own,) = pressed("pay", payer="someone", tax_id="390.533.447-05", name="Célia")[1]
    assert (own.payer_tax_id, own.payer_name) == ("39053344705", "Célia")
    assert pressed("pay", payer="someone", tax_id="1", name="Célia")[1] == ()
    assert pressed("other_value", value="zero")[1] == ()


def test_pages_in_english_by_header_and_by_link(bank_process: BankProcess, browser: Browser) -> None:
    english = bank_process.http.get("/", headers={"Accept-Language": "en-US,pt;q=0.5"}).text
    assert '<html lang="en">' in english
    assert '<html lang="pt-BR">' in browser.http.get("/").text
    assert '<html lang="en">' in browser.http.get("/?lang=en").text
    assert '<html lang="en">' in browser.http.get("/paid").text
    assert translations.PT.keys() == translations.EN.keys()


def test_pages_are_strict_about_scripts_and_forms(bank_process: BankProcess, charge: Charge) -> None:
    made = charge()
    page = bank_process.http.get("/pay", params={"code": made.br_code})
    assert "unsafe" not in page.headers["content-security-policy"]
    assert bank_process.http.get("/static/bank.css").headers["content-type"] == "text/css"
    assert bank_process.http.get("/static/settings.py").status_code == 404
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=", page.text)
    forged = bank_process.http.post("/pay", data={"code": made.br_code, "action": "pay", "payer": "52998224725"})
    assert forged.status_code == 403


@pytest.mark.parametrize("code", ["", "abc", "\0", "000201" * 200, "<script>alert(1)</script>"])
def test_a_page_for_any_code(browser: Browser, code: str) -> None:
    page = browser.http.get("/pay", params={"code": code})
    assert page.status_code == 400
    assert 'role="alert"' in page.text
    assert "<script" not in page.text


def test_faults_by_form(browser: Browser, bank_process: BankProcess) -> None:
    now = {name: str(value) for name, value in bank_process.http.get("/sim/faults").json().items()}
    assert "Salvo" in browser.press("/faults", {**now, "too_many_percent": "5"}).text
    assert bank_process.http.get("/sim/faults").json()["too_many_percent"] == 5
    for wrong in ("101", "-1", "x", ""):
        assert browser.press("/faults", {**now, "too_many_percent": wrong}).status_code == 422
    browser.press("/faults", {"reset": ""})
    assert bank_process.http.get("/sim/faults").json()["latency_ms"] == 250


def test_the_books_agree_with_themselves(connected: Bank, bank_process: BankProcess, charge: Charge) -> None:
    """Balance, statement and what was received, returned and sent, of every test before this one."""
    paid = bank_process.pay(charge(900).txid)["endToEndId"]
    connected.request_return(paid, "r1", 300)
    start, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    lines = {line.end_to_end_id: line.value for line in connected.statement(start, end)}
    received = list(connected.list_received(start, end))
    assert sum(lines.values()) == connected.balance()
    assert all(lines[pix.end_to_end_id] == pix.value for pix in received)
    returns = [back for pix in received for back in pix.returns if back.status == "DEVOLVIDO"]
    assert all(lines[back.end_to_end_id] == -back.value for back in returns)
    sent = {key for key, value in lines.items() if value < 0 and key.startswith("E")}
    assert len(lines) == len(received) + len(returns) + len(sent)


def test_a_code_of_another_bank(bank_process: BankProcess) -> None:
    code = brcode.encode(brcode.BrCode("Loja", "Recife", url=f"outro.example/qr/v2/cob/{uuid.uuid4().hex}"))
    assert refused(bank_process, {"br_code": code, "payer": PAYER})["status"] == 404


def test_of_many_payers_at_once_one_pays(bank_process: BankProcess, charge: Charge, connected: Bank) -> None:
    made = charge(1000)

    def pay(_: int) -> int:
        return bank_process.http.post("/sim/pay", json={"txid": made.txid, "payer": PAYER}).status_code

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(pay, range(16)))
    assert sorted(answers) == [201] + [422] * 15
    assert len(connected.read_charge(made.txid).received) == 1


def test_without_the_check_all_of_them_would(bank_process: BankProcess, charge: Charge, connected: Bank) -> None:
    made = charge(1000)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: bank_process.pay(made.txid, force=True), range(16)))
    assert len(connected.read_charge(made.txid).received) == 16


def test_of_many_equal_orders_at_once_one_is_sent(bank_process: BankProcess, connected: Bank) -> None:
    order, before = SendOrder(uuid.uuid4().hex, 300, "ana@exemplo.com"), connected.balance()
    with ThreadPoolExecutor(8) as threads:
        answers = set(threads.map(lambda _: connected.send_pix(order).end_to_end_id, range(16)))
    assert len(answers) == 1
    assert connected.balance() == before - 300
