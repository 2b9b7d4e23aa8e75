"""What a service says when it refuses. API and pages turn these into answers; nothing has changed then."""

from __future__ import annotations


class ServiceError(Exception):
    """A refusal that the caller is told. `field` names the input at fault, in the contract's spelling."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class Invalid(ServiceError):
    """The input is wrong: it will be refused again."""


class Duplicate(ServiceError):
    """The correlationID was used before."""


class NotFound(ServiceError):
    """No such thing, for this company."""


class Unavailable(ServiceError):
    """Somebody else (the bank) is not there: the same request may be sent again, and goes on where it stopped."""


class TooMany(ServiceError):
    """More than this company may ask for now. `retry_after`: seconds."""

    def __init__(self, message: str, field: str = "", *, retry_after: float = 0.0) -> None:
        super().__init__(message, field)
        self.retry_after = retry_after
