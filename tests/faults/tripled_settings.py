"""The product's settings, with a queue that delivers every message three times."""

from woovi.settings import *  # noqa: F403

QUEUE_APP = "tests.faults.tripled.app"
