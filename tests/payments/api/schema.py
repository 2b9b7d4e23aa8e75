"""Our OpenAPI description, made once for all modules that walk it: it takes seconds."""

from __future__ import annotations

from typing import Any

from payments.api.app import api

SCHEMA: dict[str, Any] = api.get_openapi_schema(path_prefix="/api/v1/")
