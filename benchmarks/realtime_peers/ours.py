"""The platform's application, with room for a thousand connections of one user."""

from __future__ import annotations

from woovi import asgi  # isort: skip (it loads Django)
from realtime import admission  # isort: skip

application = asgi.application
admission.PER_VISITOR = admission.PER_COMPANY = 100_000
