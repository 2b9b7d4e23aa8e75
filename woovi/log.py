"""What the log says of a request: its route, since its path may hold a Pix key or a tax id."""

from __future__ import annotations

import logging


class RoutesOnly(logging.Filter):
    """In Django's lines on failed requests, `/api/v1/pix-keys/<pix_key>/check` instead of the path that was asked for."""

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        match = getattr(request, "resolver_match", None)
        if request is not None and match and isinstance(record.args, tuple):
            record.args = tuple(f"/{match.route}" if arg == request.path else arg for arg in record.args)
        return True
