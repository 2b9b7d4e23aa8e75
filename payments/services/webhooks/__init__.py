"""Webhooks: a company's endpoints, the deliveries of events to them, their signatures. docs/webhooks.md explains them."""

from payments.services.webhooks.endpoints import change, create, delete, listing, send_test
from payments.services.webhooks.events import DEFAULT_EVENT, EVENTS, NEVER, event_names

__all__ = ["DEFAULT_EVENT", "EVENTS", "NEVER", "change", "create", "delete", "event_names", "listing", "send_test"]
