"""Django as `api.py` measures it beside ours: the same database, Redis and bank, and nothing around the views."""

from woovi.settings import *  # noqa: F403

MIDDLEWARE: list[str] = []
ROOT_URLCONF = "benchmarks.bare_api"
