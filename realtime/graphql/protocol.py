"""The messages of `graphql-transport-ws`: which there are, what they hold, and the codes that a socket is closed with.

Source: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import from_json

from realtime.connection import BAD_REQUEST, Closed, Connection

NAME = "graphql-transport-ws"
BEFORE_ACK, FORBIDDEN, NO_SUBPROTOCOL, NO_INIT, SAME_ID, TWO_INITS = 4401, 4403, 4406, 4408, 4409, 4429
LONGEST_REASON = 120  # bytes; a close frame holds three more
Message = dict[str, Any]


async def hear(connection: Connection) -> Message:
    """The client's next message. Raises Closed for one that the protocol does not know."""
    try:
        message = from_json(await connection.hear(), allow_inf_nan=False)
    except ValueError:
        raise invalid("it is not JSON") from None
    if not isinstance(message, dict):
        raise invalid("it is no object")
    kind, payload = message.get("type"), message.get("payload")
    if kind in ("connection_init", "ping", "pong"):
        _object(message, "payload")
    elif kind in ("subscribe", "complete"):
        if not isinstance(message.get("id"), str) or not message["id"]:
            raise invalid("id must be text")
        if kind == "subscribe":
            _operation(payload)
    else:
        raise invalid("its type is unknown")
    return message


def _operation(payload: Any) -> None:
    if not isinstance(payload, dict):
        raise invalid("payload must be an object")
    _object(payload, "variables")
    _object(payload, "extensions")
    if not isinstance(payload.get("operationName"), str | None):
        raise invalid("operationName must be text")
    if not isinstance(payload.get("query"), str) and not (payload.get("documentId") or payload.get("extensions")):
        raise invalid("query must be text")


def _object(holder: Message, name: str) -> None:
    """Absent, null, or an object."""
    if not isinstance(holder.get(name), dict | None):
        raise invalid(f"{name} must be an object")


def invalid(why: str) -> Closed:
    """The end of a connection whose client does not speak the protocol."""
    return closed(BAD_REQUEST, f"Invalid message: {why}")


def closed(code: int, reason: str) -> Closed:
    """The end of a connection, with a reason as long as a close frame may hold."""
    return Closed(code, reason.encode()[:LONGEST_REASON].decode(errors="ignore"))


def next_head(operation: str) -> bytes:
    """What stands before a result's JSON; `}` stands after it."""
    return f'{{"id":{json.dumps(operation)},"type":"next","payload":'.encode()
