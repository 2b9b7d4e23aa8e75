"""A bank that takes 50 ms for an answer, and does nothing else: `python -m benchmarks.slow_bank PORT`."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys

LATENCY = 0.05  # seconds
_numbers = itertools.count()


async def _serve(port: int) -> None:
    async with await asyncio.start_server(_until_closed, "127.0.0.1", port) as server:
        await server.serve_forever()


async def _until_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            body = json.dumps(await _answer(reader)).encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> dict[str, object]:
    """Read a request. A form asks for a token, at once; JSON says a Pix, which is carried out."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    length = next((int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0)
    body = await reader.readexactly(length)
    if "json" not in head:
        return {"access_token": "t", "expires_in": 3600}
    await asyncio.sleep(LATENCY)
    name = head.split(" ")[1].rpartition("/")[2]
    end_to_end_id = f"E54811417202601010000{next(_numbers):011d}"
    return {"idEnvio": name, "endToEndId": end_to_end_id, "valor": json.loads(body)["valor"], "status": "REALIZADO"}


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
