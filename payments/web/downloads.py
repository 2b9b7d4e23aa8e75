"""Files that are sent while they are made, so that a large one never lies in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import islice

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

AT_ONCE = 500  # lines


def streamed(request: HttpRequest, lines: Iterator[str], name: str, media_type: str) -> StreamingHttpResponse:
    """The lines as a file to save under `name`.

    Under ASGI Django would collect an ordinary iterator in memory before it sends the first byte.
    """
    content = _pieces(lines) if isinstance(request, ASGIRequest) else lines
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(content, content_type=f"{media_type}; charset=utf-8", headers=headers)


async def _pieces(lines: Iterator[str]) -> AsyncIterator[str]:
    """Some lines at a time, read in the request's own thread, which has the cursor that they come from."""
    take = sync_to_async(lambda: "".join(islice(lines, AT_ONCE)), thread_sensitive=True)
    while piece := await take():
        yield piece
