"""The platform's settings with handlers that record what they get, and die where the test says."""

from woovi.settings import *  # noqa: F403

OUTBOX_HANDLERS = {"": "tests.faults.handlers.first", "x": "tests.faults.handlers.second"}
