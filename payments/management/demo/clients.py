"""The three parties of the demonstration: the merchant's program, the shopper's bank, the merchant's server."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import quote

import httpx
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key


class Merchant:
    """A merchant's program: knows the API's address and its AppID, nothing else."""

    def __init__(self, url: str, app_id: str) -> None:
        self.http = httpx.Client(base_url=url, headers={"Authorization": app_id}, timeout=30)

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The JSON answer of `method path`. Raises RuntimeError with the API's message on an error."""
        answer = self.http.request(method, f"/api/v1{path}", json=body)
        if answer.is_error:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return cast("dict[str, Any]", answer.json())

    def charge(self, correlation_id: str) -> dict[str, Any]:
        return cast("dict[str, Any]", self.call("GET", f"/charge/{quote(correlation_id, safe='')}")["charge"])

    def balance(self) -> dict[str, int]:
        """Centavos: total, blocked, available."""
        account = self.call("GET", "/account")["accounts"][0]
        return cast("dict[str, int]", account["balance"])


class Shopper:
    """A shopper with an app of the simulated bank."""

    def __init__(self, bank: str) -> None:
        self.http = httpx.Client(base_url=bank, timeout=30)

    def pay(self, br_code: str, **options: Any) -> dict[str, Any]:
        """Pay a BR Code. Options are the simulator's: `force`, `callback`, `payer`, `value`."""
        payer = {"name": "Maria Silva", "taxID": "52998224725"}
        answer = self.http.post("/sim/pay", json={"br_code": br_code, "payer": payer, **options})
        if answer.is_error:
            raise RuntimeError(f"the bank refused the payment: {answer.status_code} {answer.text[:300]}")
        return cast("dict[str, Any]", answer.json())


class Receiver:
    """The merchant's own server: keeps the webhooks whose signature is right, counts the others."""

    def __init__(self, public_keys: Callable[[], list[str]]) -> None:
        self.events: list[dict[str, Any]] = []
        self.forged = 0
        self._public_keys = public_keys
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.accept(body, self.headers.get("x-webhook-signature", ""))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def accept(self, body: bytes, signature: str) -> None:
        """Keep the webhook if its signature is right; count it otherwise."""
        if any(_signed(body, signature, key) for key in self._public_keys()):
            self.events.append(json.loads(body))
        else:
            self.forged += 1

    def received(self, event: str, correlation_id: str) -> list[dict[str, Any]]:
        """Verified webhooks of `event` about the charge `correlation_id`."""
        return [e for e in self.events if e.get("event") == event and correlation_id in json.dumps(e)]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _signed(body: bytes, signature: str, pem: str) -> bool:
    key = cast("rsa.RSAPublicKey", load_pem_public_key(pem.encode()))
    try:
        key.verify(base64.b64decode(signature), body, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True
