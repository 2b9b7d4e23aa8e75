"""One thread per request, where Django would use many; and our own threads return their database connections."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import connections
from django.http import HttpRequest, HttpResponseBase

View = Callable[[HttpRequest], HttpResponseBase]
P = ParamSpec("P")
T = TypeVar("T")


def gives_back(act: Callable[P, T]) -> Callable[P, T]:
    """`act`, for a thread of our own that asks the database: its connections go back to the pool at the end.

    Django does so only at the end of a request. A thread that ends with a connection takes it from the pool for good; after
    DATABASE_POOL such threads the process answers 503 until it is restarted.
    """

    @wraps(act)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return act(*args, **kwargs)
        finally:
            for connection in connections.all(initialized_only=True):
                if not connection.in_atomic_block:  # a test's own transaction, where it runs in the test's thread
                    connection.close()

    return run


def one_thread(get_response: View) -> View:
    """Do nothing, synchronously. It must be the last of MIDDLEWARE. For pages: what programs call has `woovi.http.in_threads`.

    Under ASGI Django runs each middleware that can be either as asynchronous, and hands its synchronous parts to a
    thread and back: some twenty times a request. It decides from the last middleware outwards; behind one that is
    synchronous only, all of them are, and a request goes to its thread once. Measured: twice the requests a second.
    """

    def answer(request: HttpRequest) -> HttpResponseBase:
        return get_response(request)

    return answer
