"""Webhooks: a company's endpoints, the deliveries of events to them, their signatures. docs/webhooks.md explains them."""

from payments.services.webhooks.endpoints import (
    DEFAULT_EVENT,
    EVENTS,
    NEVER,
    change,
    create,
    delete,
    event_names,
    listing,
)

__all__ = ["DEFAULT_EVENT", "EVENTS", "NEVER", "change", "create", "delete", "event_names", "listing"]
