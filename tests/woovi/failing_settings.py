"""The platform's settings with one page, which breaks."""

from woovi.settings import *  # noqa: F403

ROOT_URLCONF = "tests.woovi.failing_urls"
