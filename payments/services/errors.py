"""Errors with which services refuse. Nothing has changed then. API and pages turn them into answers."""

from __future__ import annotations


class ServiceError(Exception):
    """A refusal, with a message for the caller. `field` names the wrong input as the API spells it."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class Invalid(ServiceError):
    """The input is wrong; a retry will be refused too."""


class Duplicate(ServiceError):
    """The correlationID was used before."""


class NotFound(ServiceError):
    """The company has no such object."""


class Unavailable(ServiceError):
    """The bank, or a lock, is not available now. The same request may be sent again and resumes."""


class TooMany(ServiceError):
    """A limit of the company is used up. `retry_after`: seconds until it may ask again."""

    def __init__(self, message: str, field: str = "", *, retry_after: float = 0.0) -> None:
        super().__init__(message, field)
        self.retry_after = retry_after


class Forbidden(ServiceError):
    """The application may not do this."""


class AddressRefused(ServiceError):
    """The application may not be used from this address."""
