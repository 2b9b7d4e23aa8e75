"""GraphQL by WebSocket, in a real server: the protocol's rules, what subscriptions tell, and to whom."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket as sockets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection

from payments.graphql import documents, execution, subscriptions
from payments.graphql.context import Context
from payments.graphql.schema import schema
from payments.models import Application, Charge, Company, PayoutBatch, User
from payments.services import batches, companies
from payments.services.charges import receiving, refunds
from realtime.graphql import events
from tests.payments import making
from tests.payments.batches.conftest import csv_of
from tests.payments.web.log_in import Owner
from tests.processes import own_valkey, wait_until
from tests.realtime.conftest import Server, code_of, company, logged_in, merchant, publish, relay, session_of
from woovi.outbox.models import OutboxEvent
from woovi.threads import gives_back

pytestmark = pytest.mark.django_db(transaction=True)

EVENTS = "subscription S($after: EventNumber) { events(after: $after) { number id topic payload } }"
COMPANY = "{ company { tradeName } }"
INIT = '{"type": "connection_init"}'
_ids = itertools.count(1)


@pytest.fixture(scope="module")
def server(django_db_setup: None) -> Iterator[Server]:
    """It pings every second."""
    with own_valkey() as valkey, Server(valkey, HEARTBEAT="1") as made:
        yield made


def key_of(shop: Company) -> str:
    return companies.issue_application(shop, "test")[1]


def dial(server: Server, who: User | str | None = None, **options: Any) -> ClientConnection:
    """A socket that has said nothing yet: of a user, of an AppID (without an origin), or of nobody."""
    known: dict[str, Any] = {"path": "/graphql", "subprotocols": ["graphql-transport-ws"], **options}
    if isinstance(who, str):
        known = {"additional_headers": {"Authorization": who}, "origin": None, **known}
        return server.socket(None, **known)
    return server.socket(who, **known)


def said(socket: ClientConnection) -> dict[str, Any]:
    """The next message, without the server's own pings."""
    while True:
        message: dict[str, Any] = json.loads(socket.recv(20))
        if message["type"] != "ping":
            return message


@contextlib.contextmanager
def talking(server: Server, who: User | str, **options: Any) -> Iterator[ClientConnection]:
    with dial(server, who, **options) as socket:
        socket.send(INIT)
        assert said(socket)["type"] == "connection_ack"
        yield socket


def subscribe(socket: ClientConnection, query: str, **variables: Any) -> str:
    operation = str(next(_ids))
    payload = {"query": query, "variables": variables}
    socket.send(json.dumps({"id": operation, "type": "subscribe", "payload": payload}))
    return operation


def told(socket: ClientConnection) -> Any:
    """The data of the next result."""
    message = said(socket)
    assert message["type"] == "next", message
    assert "errors" not in message["payload"], message
    return message["payload"]["data"]


# ── the protocol ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("offered", [None, ["graphql-ws"]])
def test_another_subprotocol_is_not_acceptable(server: Server, offered: Any) -> None:
    with dial(server, key_of(company()), subprotocols=offered) as socket:
        assert code_of(socket) == 4406


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        (["{"], 4400),
        (["[]"], 4400),
        (["{}"], 4400),
        (['{"type": "start"}'], 4400),
        (['{"type": "next", "id": "1", "payload": {}}'], 4400),
        (['{"type": "connection_init", "payload": "x"}'], 4400),
        ([INIT, '{"type": "ping", "payload": 1}'], 4400),
        ([INIT, '{"type": "subscribe"}'], 4400),
        ([INIT, '{"type": "subscribe", "id": 1, "payload": {"query": "{ cursor }"}}'], 4400),
        ([INIT, '{"type": "subscribe", "id": "", "payload": {"query": "{ cursor }"}}'], 4400),
        ([INIT, '{"type": "subscribe", "id": "1", "payload": {}}'], 4400),
        ([INIT, '{"type": "subscribe", "id": "1", "payload": {"query": "{ cursor }", "variables": []}}'], 4400),
        ([INIT, '{"type": "subscribe", "id": "1", "payload": {"query": "{ cursor }", "operationName": 1}}'], 4400),
        ([INIT, '{"type": "complete"}'], 4400),
        (['{"type": "subscribe", "id": "1", "payload": {"query": "{ cursor }"}}'], 4401),
        ([INIT, INIT], 4429),
    ],
)
def test_what_the_protocol_does_not_know_closes_with_its_code(server: Server, messages: list[str], code: int) -> None:
    with dial(server, key_of(company())) as socket:
        for message in messages:
            socket.send(message)
        assert code_of(socket) == code
        assert code != 4400 or str(socket.close_reason).startswith("Invalid message: ")


def test_an_id_that_is_in_use_closes_and_one_that_was_is_used_again(server: Server) -> None:
    with talking(server, key_of(company())) as socket:
        again = json.dumps({"id": "é" * 200, "type": "subscribe", "payload": {"query": COMPANY}})
        for _ in range(2):
            socket.send(again)
            assert [said(socket)["type"], said(socket)] == ["next", {"id": "é" * 200, "type": "complete"}]
        lasting = json.dumps({"id": "é" * 200, "type": "subscribe", "payload": {"query": EVENTS}})
        for _ in range(2):
            socket.send(lasting)
        assert code_of(socket) == 4409
        assert str(socket.close_reason).startswith("Subscriber for é")


def test_who_says_nothing_is_closed(server: Server) -> None:
    with dial(server, key_of(company())) as socket:
        socket.send('{"type": "ping", "payload": {"a": 1}}')
        assert json.loads(socket.recv(20)) == {"type": "pong", "payload": {"a": 1}}, "before the acknowledgement too"
        socket.send('{"type": "pong"}')
        assert code_of(socket) == 4408


@pytest.mark.parametrize("payload", ["", ', "payload": null', ', "payload": {}'])
def test_a_payload_of_null_is_none(server: Server, payload: str) -> None:
    shop = company()
    publish(shop, "x")
    with dial(server, key_of(shop)) as socket:
        socket.send(f'{{"type": "connection_init"{payload}}}')
        assert said(socket) == {"type": "connection_ack", "payload": {"head": 1}}
        socket.send('{"type": "ping", "payload": null}')
        assert said(socket) == {"type": "pong", "payload": None}
        socket.send('{"type": "ping"}')
        assert said(socket) == {"type": "pong"}
        socket.send('{"type": "complete", "id": "unknown"}')
        socket.send('{"type": "subscribe", "id": "1", "payload": {"query": "{ cursor }", "variables": null, "operationName": null, "extensions": null}}')  # fmt: skip
        assert said(socket) == {"id": "1", "type": "next", "payload": {"data": {"cursor": 1}}}


def test_queries_mutations_and_errors_over_the_socket(server: Server) -> None:
    shop = company()
    with talking(server, key_of(shop)) as socket:
        subscribe(socket, COMPANY)
        assert told(socket) == {"company": {"tradeName": "Loja 1"}}
        assert said(socket)["type"] == "complete"
        subscribe(socket, 'mutation { approvePayment(correlationID: "x") { id } }')
        assert said(socket)["payload"]["errors"][0]["extensions"]["code"] == "NOT_FOUND"
        assert said(socket)["type"] == "complete"
        operation = subscribe(socket, "{ nothing }")
        refused = said(socket)
        assert (refused["id"], refused["type"]) == (operation, "error")
        assert refused["payload"][0]["extensions"] == {"code": "BAD_REQUEST"}
        subscribe(socket, EVENTS, after="x")
        assert said(socket)["type"] == "error"
        known = next(digest for digest, text in documents.known().items() if "OnBalance" in text)
        socket.send(json.dumps({"id": "b", "type": "subscribe", "payload": {"documentId": f"sha256:{known}"}}))
        assert told(socket)["balance"]["total"] == 0


def test_many_ask_by_http_at_once_and_no_database_connection_is_lost(server: Server) -> None:
    shop = making.company()
    for _ in range(3):
        receiving.receive(making.pix(making.charge(shop, 1000)))
    key = key_of(shop)
    asked = {"query": "{ balance { total } charges { edges { node { state payer { name } refunds { id } } } } }"}

    def ask(_: int) -> Any:
        return httpx.post(f"{server.url}/graphql", json=asked, headers={"Authorization": key}, timeout=30).json()

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(60)))  # three times as many as the pool has connections
    node = {"state": "COMPLETED", "payer": {"name": "Bia"}, "refunds": []}
    expected = {"balance": {"total": 2850}, "charges": {"edges": [{"node": node}] * 3}}
    assert [answer for answer in answers if answer != {"data": expected}] == []


def test_so_many_operations_at_once_and_no_more(server: Server) -> None:
    with talking(server, key_of(company())) as socket:
        first = subscribe(socket, EVENTS)
        for _ in range(19):
            subscribe(socket, EVENTS)
        refused = subscribe(socket, EVENTS)
        message = said(socket)
        assert (message["id"], message["payload"][0]["extensions"]["code"]) == (refused, "TOO_MANY_OPERATIONS")
        socket.send(json.dumps({"id": first, "type": "complete"}))
        subscribe(socket, COMPANY)
        assert told(socket)["company"]


# ── who may ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_strangers_are_forbidden_and_pages_of_other_sites_never_get_in(server: Server) -> None:
    user = merchant(company())
    for wrong in (dial(server), dial(server, "nonsense"), dial(server, merchant(None))):
        with wrong as socket:
            socket.send(INIT)
            assert code_of(socket) == 4403
    cookie = {"Cookie": f"sessionid={session_of(user)}"}
    with dial(server, None, additional_headers=cookie, origin=None) as socket:  # no page: its cookie is not looked at
        socket.send(INIT)
        assert code_of(socket) == 4403
    with pytest.raises(InvalidStatus, match="403"):
        dial(server, user, origin="http://evil.example")


def test_a_page_and_a_program_get_in_and_are_closed_when_their_access_ends(server: Server) -> None:
    shop = company()
    user = merchant(shop)
    browser = logged_in(user)
    application, key = companies.issue_application(shop, "test")
    with (
        server.socket(
            browser.cookies["sessionid"].value, path="/graphql", subprotocols=["graphql-transport-ws"]
        ) as page,
        dial(server, None, origin=None) as tool,
    ):
        page.send(INIT)
        tool.send(json.dumps({"type": "connection_init", "payload": {"Authorization": key}}))
        for socket in (page, tool):
            assert said(socket)["type"] == "connection_ack"
            subscribe(socket, EVENTS)
        begun = time.monotonic()
        companies.revoke_application(application)
        assert code_of(tool) == 4403
        browser.post("/logout")
        assert code_of(page) == 4403
        assert time.monotonic() - begun < 10, "a second, and what a busy machine adds; a heartbeat is 25"


# ── what is told ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_event_after_a_number_once_in_order(server: Server) -> None:
    shop = company()
    publish(shop, *["x"] * 40)
    key = key_of(shop)
    with talking(server, key) as one, talking(server, key) as other:
        first, second = subscribe(one, EVENTS, after=15), subscribe(one, EVENTS, after=38)
        subscribe(other, "subscription { events(after: 39) { n: number topic } }")
        publish(shop, "OPENPIX:CHARGE_CREATED", "task:nothing")
        seen: dict[str, list[int]] = {first: [], second: []}
        for _ in range(26 + 3):
            message = said(one)
            seen[message["id"]].append(message["payload"]["data"]["events"]["number"])
        assert seen == {first: list(range(16, 42)), second: [39, 40, 41]}
        assert [told(other)["events"] for _ in range(2)] == [
            {"n": 40, "topic": "x"},
            {"n": 41, "topic": "OPENPIX:CHARGE_CREATED"},
        ]
        one.send(json.dumps({"id": first, "type": "complete"}))
        one.send('{"type": "ping"}')
        assert said(one)["type"] == "pong"
        publish(shop, "y")
        message = said(one)
        event = OutboxEvent.objects.get(topic="y")
        assert message["id"] == second, "the first was completed"
        assert message["payload"]["data"]["events"] == {
            "number": 42, "id": str(event.event_id), "topic": "y", "payload": {"a": 1},
        }  # fmt: skip


def test_an_event_is_told_once_for_all_who_follow_it_with_the_same_document() -> None:
    def shape(text: str, **variables: Any) -> events.Shape:
        wanted = execution.read({"query": text, "variables": variables})
        context = Context(Company(pk=1))
        return events.Shape.of(wanted, execution._executor(wanted, context))

    frame = b'{"type":"event","seq":7,"id":"x","topic":"t","at":"2026-01-01T00:00:00+00:00","payload":{"a":[1,null]}}'
    short = "subscription S($after: EventNumber, $short: Boolean! = false) { events(after: $after) { number topic @skip(if: $short) } }"
    told = events.payload(shape(short, after=1), frame)
    assert json.loads(told) == {"data": {"events": {"number": 7, "topic": "t"}}}
    assert events.payload(shape(short, after=5), frame) is told
    assert json.loads(events.payload(shape(short, short=True), frame)) == {"data": {"events": {"number": 7}}}
    assert json.loads(events.payload(shape(EVENTS), frame))["data"]["events"]["payload"] == {"a": [1, None]}


def test_so_many_connections_and_no_more(server: Server) -> None:
    key = key_of(company())
    with contextlib.ExitStack() as open_ones:
        for _ in range(20):
            open_ones.enter_context(talking(server, key))
        one_more = open_ones.enter_context(dial(server, key))
        one_more.send(INIT)
        assert code_of(one_more) == 1013


def test_a_number_above_the_head_is_told_where_to_go_on(server: Server) -> None:
    shop = company()
    publish(shop, "x")
    with talking(server, key_of(shop)) as socket:
        subscribe(socket, EVENTS, after=9)
        message = said(socket)
        assert message["type"] == "error"
        assert message["payload"][0]["extensions"] == {"code": "RESET", "head": 1}


def test_a_query_with_its_cursor_and_the_events_after_it_miss_nothing(server: Server) -> None:
    shop = company()
    publish(shop, "x", "x")
    with talking(server, key_of(shop)) as socket:
        subscribe(socket, "{ cursor charges { totalCount } }")
        cursor = told(socket)["cursor"]
        assert said(socket)["type"] == "complete"
        publish(shop, "y")
        subscribe(socket, EVENTS, after=cursor)
        assert told(socket)["events"]["topic"] == "y"


def test_a_charge_and_the_balance_are_told_now_and_when_they_change(server: Server) -> None:
    shop = making.company()
    charge, other = making.charge(shop, 1000, correlation_id="a"), making.charge(shop, 500)
    shown = "subscription S($id: ID!) { charge(id: $id) { correlationID state left payer { name } refunds { value } } }"
    with talking(server, key_of(shop)) as charges, talking(server, key_of(shop)) as balances:
        subscribe(charges, shown, id="a")
        subscribe(balances, "subscription { balance { total blocked } }")
        before = {"correlationID": "a", "state": "ACTIVE", "left": 1000, "payer": None, "refunds": []}
        assert told(charges)["charge"] == before
        assert told(balances)["balance"] == {"total": 0, "blocked": 0}
        receiving.receive(making.pix(other))
        relay()
        assert told(balances)["balance"] == {"total": 450, "blocked": 0}
        receiving.receive(making.pix(charge))
        relay()
        assert told(charges)["charge"] == {**before, "state": "COMPLETED", "payer": {"name": "Bia"}}
        assert told(balances)["balance"] == {"total": 1400, "blocked": 0}
        refunds.request(shop, charge, "r", 300, now=making.NOW)
        relay()
        assert told(charges)["charge"]["refunds"] == [{"value": 300}]
        assert told(balances)["balance"] == {"total": 1400, "blocked": 300}


def test_a_batch_is_told_now_and_while_it_changes(server: Server) -> None:
    shop = company()
    batch = _batch(shop)
    with talking(server, key_of(shop)) as socket:
        subscribe(
            socket, "subscription S($id: ID!) { batch(id: $id) { status progress { waiting } } }", id=batch.public_id
        )
        assert told(socket)["batch"] == {"status": "RUNNING", "progress": {"waiting": 3}}
        PayoutBatch.objects.update(confirmed=2)
        publish(shop, *["x"] * 50)
        assert told(socket)["batch"] == {"status": "RUNNING", "progress": {"waiting": 1}}
        batches.pause(batch)
        relay()
        assert told(socket)["batch"]["status"] == "PAUSED"


def test_a_mutation_looks_again_whether_it_may(server: Server) -> None:
    """Where Redis is away nobody hears of a revocation, and the next heartbeat may be long to come."""
    shop = company()
    made, key = companies.issue_application(shop, "test")
    with talking(server, key) as socket:
        Application.objects.filter(pk=made.pk).update(is_active=False)
        subscribe(socket, 'mutation { createCharge(input: {correlationID: "x", value: 500}) { id } }')
        assert code_of(socket) == 4403
    assert not Charge.objects.exists()


def test_a_code_of_the_second_factor_is_counted_by_the_handshakes_address(server: Server) -> None:
    shop = company()
    maker = User.objects.create_user("maker@example.com", company=shop)
    batch = batches.submit(batches.upload(shop, maker, "folha.csv", BytesIO(csv_of(1).encode())))
    receiving.receive(making.pix(pix_key=shop.pix_key, value=10_000))
    phones = [Owner(User.objects.create_user(f"{n}@example.com", company=shop)) for n in range(3)]
    query = "mutation M($id: ID!, $signature: String!, $code: String!) { approveBatch(id: $id, signature: $signature, code: $code) { status } }"

    def approve(phone: Owner, address: str, *codes: str) -> list[Any]:
        headers = {"Cookie": f"sessionid={session_of(phone.user)}", "X-Forwarded-For": address}
        found = []
        with talking(server, phone.user, additional_headers=headers) as socket:
            for code in codes:
                subscribe(socket, query, id=batch.public_id, signature=batch.signature, code=code)
                result, _ = said(socket)["payload"], said(socket)
                found.append(
                    result["errors"][0]["extensions"]["code"] if "errors" in result else result["data"]["approveBatch"]
                )
        return found

    for phone in phones[:2]:
        codes = ["000000"] * 5 + phone.recovery[:1]
        assert approve(phone, "203.0.113.77", *codes) == ["INVALID"] * 5 + ["TOO_MANY_REQUESTS"]
    assert approve(phones[2], "203.0.113.77", phones[2].recovery[0]) == ["TOO_MANY_REQUESTS"]
    assert approve(phones[2], "203.0.113.177", phones[2].recovery[0]) == [{"status": "RUNNING"}]


def _batch(shop: Company) -> PayoutBatch:
    maker = User.objects.create_user(f"maker{shop.pk}@example.com", company=shop)
    return PayoutBatch.objects.create(company=shop, name="folha", maker=maker, status="RUNNING", rows=3)


def test_another_companys_id_gives_nothing(server: Server) -> None:
    ours, theirs = making.company(), making.company()
    receiving.receive(making.pix(making.charge(theirs, 1000, correlation_id="a")))
    relay()
    theirs.refresh_from_db()
    ids = {"charge": theirs.charges.get().public_id, "batch": _batch(theirs).public_id}
    with talking(server, key_of(theirs)) as owner, talking(server, key_of(ours)) as rival:
        assert schema.subscription_type
        assert set(schema.subscription_type.fields) == {"events", "balance", *ids}
        for name, own in ids.items():
            query = f"subscription S($id: ID!) {{ {name}(id: $id) {{ id }} }}"
            subscribe(owner, query, id=own)
            assert told(owner)[name]["id"], "a control"
            subscribe(rival, query, id=own)
            assert told(rival) == {name: None}
            assert said(rival)["type"] == "complete"
        subscribe(owner, "subscription { events(after: 0) { number } }")
        assert told(owner)["events"]["number"] == 1
        subscribe(rival, "subscription { balance { total } }")
        assert told(rival)["balance"] == {"total": 0}
        subscribe(rival, "subscription { events(after: 0) { number } }")
        publish(theirs, "x")
        rival.send('{"type": "ping"}')
        assert said(rival)["type"] == "pong", "nothing came between"
        publish(ours, "y")
        assert told(rival)["events"]["number"] == 1


def test_who_does_not_read_is_closed_and_goes_on_after_what_it_saw(server: Server) -> None:
    shop = company()
    key = key_of(shop)
    narrow = sockets.socket()
    narrow.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 262_144)
    narrow.connect(("127.0.0.1", server.port))
    with (
        talking(server, key) as quick,
        talking(server, key, sock=narrow, max_queue=1, ping_interval=None, close_timeout=0.1) as slow,
    ):
        for socket in (quick, slow):
            subscribe(socket, EVENTS, after=0)
        for part in range(10):
            publish(shop, *["x"] * 10, text="x" * 100_000)
            assert [told(quick)["events"]["number"] for _ in range(10)][-1] == 10 * (part + 1)
        wait_until(lambda: _places(key) == 1)
        seen = []
        with contextlib.suppress(Exception):
            while True:
                seen.append(told(slow)["events"]["number"])
        assert slow.close_code == 4008
        assert seen == list(range(1, len(seen) + 1))
        assert len(seen) < 100
    with talking(server, key, close_timeout=0.1) as again:
        subscribe(again, EVENTS, after=len(seen))
        assert told(again)["events"]["number"] == len(seen) + 1


def test_what_many_follow_is_read_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def followed() -> list[Any]:
        readings = 0

        def read() -> int:
            nonlocal readings
            readings += 1
            return readings

        async with contextlib.AsyncExitStack() as all_of_them:
            states = [
                await all_of_them.enter_async_context(contextlib.aclosing(subscriptions._states(shop, "x", read)))
                for _ in range(50)
            ]
            first = [await anext(states[0]), *await asyncio.gather(*(anext(each) for each in states[1:]))]
            news = [asyncio.create_task(anext(each)) for each in states]  # type: ignore[arg-type]
            await asyncio.sleep(0)
            await asyncio.to_thread(gives_back(publish), shop, "x")
            return [first, await asyncio.gather(*news)]

    shop = company()
    monkeypatch.setattr(subscriptions, "PAUSE", 0)
    first, then = asyncio.run(followed())
    assert first == [[1]] + [[2]] * 49
    assert then == [[3]] * 50


def _places(key: str) -> int:
    from woovi import redis
    from woovi.pubsub import leases

    application = companies.authenticate(key)
    assert application
    return int(redis.client("channels").zcard(leases.key(f"application {application.pk}")))


def test_pings_carry_the_logs_head(server: Server) -> None:
    shop = company()
    publish(shop, "x")
    with talking(server, key_of(shop)) as socket:
        while (message := json.loads(socket.recv(20)))["type"] != "ping":
            pass
        assert message == {"type": "ping", "payload": {"head": 1, "live": True}}
