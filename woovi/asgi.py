"""The ASGI application: HTTP to Django, WebSockets to Channels."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "woovi.settings")

from woovi import embedded

embedded.ensure()

from django.core.asgi import get_asgi_application

application = get_asgi_application()
