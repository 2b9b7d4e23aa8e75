#!/usr/bin/env bash
# The guess: Django's middleware is loaded once in a process, so what WhiteNoise reads when it is loaded costs a test suite once.
# What happens: each `django.test.Client()` has a handler of its own, which loads the whole middleware again with its first
#   request; and WhiteNoise's, unless DEBUG is on, then looks at every static file. Django's admin alone brings over a hundred.
# Versions: Django 5.2.19, WhiteNoise 6.12.0, Python 3.11.
# Why it matters: a test that makes a client to send one request spends most of its time on files that it never asks for; in
#   a suite of some thousand such tests that was half of the suite's time. pytest-django's `client` makes one for each test
#   too. The cure is to leave this middleware out of the tests' settings, or to let its list be made once a process.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/python -m pip install -q --disable-pip-version-check Django==5.2.19 whitenoise==6.12.0 2>/dev/null

env/bin/python - "$work/static" <<'PY'
import sys, time
from pathlib import Path

import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import path

settings.configure(
    SECRET_KEY="x",
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.staticfiles", "django.contrib.admin", "django.contrib.auth",
                    "django.contrib.contenttypes", "django.contrib.messages"],
    MIDDLEWARE=["whitenoise.middleware.WhiteNoiseMiddleware"],
    STATIC_URL="/static/",
    STATIC_ROOT=sys.argv[1],
)
urlpatterns = [path("", lambda request: HttpResponse("ok"))]
django.setup()

from django.core.management import call_command
from django.test import Client
from whitenoise import WhiteNoise

call_command("collectstatic", verbosity=0)
files = sum(each.is_file() for each in Path(sys.argv[1]).rglob("*"))

looked, look = 0, WhiteNoise.add_file_to_dictionary

def counted(self, *given, **more):
    global looked
    looked += 1
    return look(self, *given, **more)

WhiteNoise.add_file_to_dictionary = counted

def milliseconds(ask):
    began = time.perf_counter()
    for _ in range(20):
        assert ask().content == b"ok"
    return (time.perf_counter() - began) / 20 * 1000

one = Client()
one.get("/")
looked = 0
kept = milliseconds(lambda: one.get("/"))
by_one = looked
fresh = milliseconds(lambda: Client().get("/"))
print(f"{files} static files")
print(f"20 requests of one client looked at {by_one} of them, {kept:.1f} ms a request")
print(f"20 requests of a client each looked at {looked}, {fresh:.1f} ms a request")
assert by_one == 0, "one client looked again"
assert looked == 20 * files, "a new client did not look at each file"
PY
