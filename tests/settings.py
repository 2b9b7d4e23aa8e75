"""The platform's settings, for the tests and the processes that they start, with passwords that cost no time to hash."""

from woovi.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the real one takes 0.2 s of CPU a log-in
