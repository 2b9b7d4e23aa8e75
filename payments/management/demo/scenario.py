"""The steps of the demonstration. Each returns a text of what it saw, or raises."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from payments.management.demo.clients import Merchant, Receiver, Shopper

WAIT_SECONDS = 60.0
VALUE = 12_345  # centavos of each charge
REFUND = 2_345
EVENTS = ("OPENPIX:CHARGE_COMPLETED", "PIX_TRANSACTION_REFUND_SENT_CONFIRMED")

Step = Callable[[], str]


def check(condition: bool, otherwise: str) -> None:
    """Raise RuntimeError unless `condition`; unlike `assert`, also with `python -O`."""
    if not condition:
        raise RuntimeError(otherwise)


def until(look: Callable[[], Any], what: str) -> Any:
    """The first true result of `look`. Raises RuntimeError if none comes within WAIT_SECONDS."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (seen := look()):
        check(time.monotonic() < deadline, f"not seen in {WAIT_SECONDS:.0f} s: {what}")
        time.sleep(0.1)
    return seen


class Scenario:
    """Three charges: one paid, one paid twice, one whose callback is lost; webhooks, a refund, the balance."""

    def __init__(self, merchant: Merchant, shopper: Shopper, check_ledger: Step) -> None:
        self.merchant = merchant
        self.shopper = shopper
        self.check_ledger = check_ledger
        self.run = uuid.uuid4().hex[:8]
        self.receiver = Receiver(self._public_keys)
        self.webhooks: list[str] = []
        self.charges: list[dict[str, Any]] = []
        self.before: dict[str, int] = {}

    def steps(self) -> list[tuple[str, Step]]:
        """Names and functions, in order."""
        return [
            ("a webhook is registered and tested", self.register_webhooks),
            ("three charges are created", self.create_charges),
            ("the same correlationID is refused", self.repeat_charge),
            ("the first is paid", self.pay_once),
            ("the second is paid twice, credited once", self.pay_twice),
            ("the third is paid, its callback is lost and found", self.pay_without_callback),
            ("signed webhooks arrive", self.receive_webhooks),
            ("part of the first is refunded", self.refund),
            ("the balance is exact to the centavo", self.compare_balance),
            ("the ledger is sound", self.check_ledger),
        ]

    def close(self) -> None:
        """Delete the webhooks that the run registered."""
        for webhook in self.webhooks:
            self.merchant.call("DELETE", f"/webhook/{webhook}")
        self.receiver.close()

    def register_webhooks(self) -> str:
        for event in EVENTS:
            body = {"name": f"demo {self.run}", "event": event, "url": self.receiver.url, "isActive": True}
            self.webhooks.append(self.merchant.call("POST", "/webhook", {"webhook": body})["webhook"]["id"])
        check(len(self.receiver.events) >= len(EVENTS), "the test POST did not arrive")
        return f"{len(EVENTS)} events"

    def create_charges(self) -> str:
        self.before = self.merchant.balance()
        for number in (1, 2, 3):
            body = {"correlationID": f"demo-{self.run}-{number}", "value": VALUE, "comment": f"Pedido {number}"}
            self.charges.append(self.merchant.call("POST", "/charge", body)["charge"])
        check(all(c["status"] == "ACTIVE" and c["brCode"] for c in self.charges), "a charge is not ACTIVE")
        return f"R$ {VALUE / 100:.2f} each"

    def repeat_charge(self) -> str:
        body = {"correlationID": self.charges[0]["correlationID"], "value": VALUE}
        try:
            self.merchant.call("POST", "/charge", body)
        except RuntimeError as error:
            check(" 400 " in str(error), str(error))
        else:
            raise RuntimeError("a second charge was created")
        first = self.merchant.call("POST", "/charge?return_existing=true", body)["charge"]
        check(first["globalID"] == self.charges[0]["globalID"], "return_existing gave another charge")
        return "400, or the first charge with return_existing"

    def pay_once(self) -> str:
        started = time.monotonic()
        self.shopper.pay(self.charges[0]["brCode"])
        self._completed(0)
        return f"COMPLETED {1000 * (time.monotonic() - started):.0f} ms after the payer's confirmation"

    def pay_twice(self) -> str:
        self.shopper.pay(self.charges[1]["brCode"])
        self._completed(1)
        self.shopper.pay(self.charges[1]["brCode"], force=True)
        return "the second Pix goes back to its payer"

    def pay_without_callback(self) -> str:
        started = time.monotonic()
        self.shopper.pay(self.charges[2]["brCode"], callback="lost")
        self._completed(2)
        return f"found by reconciliation after {time.monotonic() - started:.1f} s"

    def receive_webhooks(self) -> str:
        def all_received() -> bool:
            return all(self.receiver.received(EVENTS[0], charge["correlationID"]) for charge in self.charges)

        until(all_received, "CHARGE_COMPLETED for each")
        check(self.receiver.forged == 0, f"{self.receiver.forged} webhooks with a wrong signature")
        return "CHARGE_COMPLETED for each, RSA signature verified"

    def refund(self) -> str:
        charge = self.charges[0]["correlationID"]
        body = {"correlationID": f"{charge}-refund", "value": REFUND}
        self.merchant.call("POST", f"/charge/{charge}/refund", body)

        def confirmed() -> bool:
            refunds = self.merchant.call("GET", f"/charge/{charge}/refund")["refunds"]
            return [refund["status"] for refund in refunds] == ["CONFIRMED"]

        until(confirmed, "the refund CONFIRMED")
        until(lambda: self.receiver.received(EVENTS[1], charge), "the refund's webhook")
        return f"R$ {REFUND / 100:.2f} CONFIRMED"

    def compare_balance(self) -> str:
        fees = sum(charge["fee"] for charge in self.charges)
        expected = 3 * VALUE - fees - REFUND

        def moved() -> int:
            return self.merchant.balance()["available"] - self.before["available"]

        check(moved() == expected, f"moved by {moved()}, not by {expected} centavos")
        return f"+{expected} centavos: 3 x {VALUE} less {fees} of fees and {REFUND} refunded"

    def _completed(self, index: int) -> None:
        charge = self.charges[index]["correlationID"]
        until(lambda: self.merchant.charge(charge)["status"] == "COMPLETED", f"{charge} COMPLETED")

    def _public_keys(self) -> list[str]:
        return [key["key"] for key in self.merchant.call("GET", "/webhook/public-keys")["public_keys"]]
