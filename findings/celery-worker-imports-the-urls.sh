#!/usr/bin/env bash
# The guess: a Celery worker of a Django project imports the project's tasks, and what these import.
# What happens: at its start the worker runs all of Django's system checks, and the checks of URLs import ROOT_URLCONF:
#   every view, the API framework, the admin's pages. The worker keeps them for its life, and an error in a view's
#   module keeps a worker from starting that would never have called it. CELERY_SKIP_CHECKS=1 in the environment leaves
#   the checks out; no setting does.
# Versions: Celery 5.7.0, Django 5.2.19, Python 3.11.
# Why it matters: every worker pays the memory and the start of the web framework, and a deployment whose web half is
#   broken loses its background half too.
set -euo pipefail
work=$(mktemp -d)
worker=""
trap '[ -z "$worker" ] || kill -9 "$worker" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/python -m pip install -q --disable-pip-version-check celery==5.7.0 Django==5.2.19 2>/dev/null

mkdir shop
touch shop/__init__.py
echo 'SECRET_KEY = "s"; ROOT_URLCONF = "shop.urls"; INSTALLED_APPS = []; USE_TZ = True' >shop/settings.py
echo 'open("urls-imported", "a").close(); urlpatterns = []' >shop/urls.py
cat >shop/celery.py <<'PY'
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
from celery import Celery
from celery.signals import worker_ready
app = Celery("shop", broker="memory://")
@worker_ready.connect
def ready(**_): open("ready", "a").close()
PY

run() {  # a worker until it is ready or has ended, with the environment given; says whether it imported the URLs
    rm -f ready urls-imported
    env "$@" env/bin/celery -A shop worker --pool solo --loglevel ERROR >worker.log 2>&1 &
    worker=$!
    for _ in $(seq 300); do { [ -e ready ] || ! kill -0 "$worker" 2>/dev/null; } && break; sleep 0.1; done
    kill "$worker" 2>/dev/null || true
    wait "$worker" 2>/dev/null || true
    worker=""
    [ -e ready ] && printf 'ready, ' || printf 'did not start, '
    [ -e urls-imported ] && echo 'imported the URLs' || echo 'did not import the URLs'
}

plain=$(run PLAIN=1)
skipped=$(run CELERY_SKIP_CHECKS=1)
echo 'import a_module_that_views_need' >>shop/urls.py
broken=$(run PLAIN=1)
echo "a worker:                           $plain"
echo "with CELERY_SKIP_CHECKS=1:          $skipped"
echo "where a view's module is missing:   $broken"
[ "$plain" = "ready, imported the URLs" ]
[ "$skipped" = "ready, did not import the URLs" ]
[ "$broken" = "did not start, imported the URLs" ]
