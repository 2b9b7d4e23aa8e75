"""One thread a request: what Django does with views and middleware that are not asynchronous."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

View = Callable[[HttpRequest], HttpResponseBase]


def one_thread(get_response: View) -> View:
    """Do nothing, synchronously. It must be the last of MIDDLEWARE.

    Under ASGI Django runs each middleware that can be either as asynchronous, and hands its synchronous parts to a
    thread and back: some twenty times a request. It decides from the last middleware outwards; behind one that is
    synchronous only, all of them are, and a request goes to its thread once. Measured: twice the requests a second.
    """

    def answer(request: HttpRequest) -> HttpResponseBase:
        return get_response(request)

    return answer
