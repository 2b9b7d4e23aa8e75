"""Which documents are run. Production runs those in `documents/` alone, unless GRAPHQL_DOCUMENTS=any.

A client names a known one by the SHA-256 of its text, in hex: `{"documentId": "sha256:…"}`, or as Apollo's clients do,
`{"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "…"}}}`; or it sends the text itself.
Source: https://github.com/graphql/graphql-over-http/blob/main/rfcs/Persisted%20Documents%20Appendix.md
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings

from payments.graphql.errors import Refused

FOLDER = Path(__file__).parent / "documents"


@cache
def known() -> dict[str, str]:
    """The committed documents by their SHA-256 in hex."""
    texts = [path.read_text() for path in sorted(FOLDER.glob("*.graphql"))]
    return {_digest(text): text for text in texts}


def text(request: Mapping[str, Any]) -> str:
    """The document that a request asks for. Raises Refused."""
    if digest := _named(request):
        found = known().get(digest)
        if found is None:
            raise Refused("No such document is known", "PERSISTED_QUERY_NOT_FOUND")
        return found
    query = request.get("query")
    if not isinstance(query, str) or not query.strip():
        raise Refused("query or documentId is needed", field="query")
    if settings.GRAPHQL_DOCUMENTS == "known" and _digest(query) not in known():
        raise Refused("Only known documents are run here", "UNKNOWN_DOCUMENT")
    return query


def _named(request: Mapping[str, Any]) -> str:
    """The digest that the request names; empty where it names none."""
    named = request.get("documentId")
    if named is None:
        extensions = request.get("extensions")
        apollo = extensions.get("persistedQuery") if isinstance(extensions, dict) else None
        named = apollo.get("sha256Hash") if isinstance(apollo, dict) else None
    return named.removeprefix("sha256:") if isinstance(named, str) else ""


def _digest(document: str) -> str:
    return hashlib.sha256(document.encode()).hexdigest()
