"""One of many processes that move money between rows: `python -m tests.woovi.locks.worker DATABASE_URL TRANSFERS`."""

import random
import sys
import time

import django
from django.conf import settings

from woovi import env

settings.configure(DATABASES={"default": env.database(sys.argv[1])}, INSTALLED_APPS=[], USE_TZ=True)
django.setup()

from django.db import OperationalError  # noqa: E402

from tests.woovi.locks.models import Account  # noqa: E402
from woovi.locks import LockNotAvailable, StaleFence  # noqa: E402

done, longest = 0, 0.0
print("ready", flush=True)
while done < int(sys.argv[2]):
    source, target = random.sample(range(1, 11), 2)
    began = time.monotonic()
    try:
        with Account.objects.lock_for_update(pk__in=[source, target], timeout=5, lease=1) as locked:
            locked[source].balance -= 1
            locked[source].save()
            locked[target].balance += 1
            locked[target].save()
        done += 1
    except (LockNotAvailable, StaleFence):
        pass  # nothing was written: the next try is another
    except OperationalError as error:
        if "deadlock" in str(error):
            raise
    longest = max(longest, time.monotonic() - began)
print(f"done {done} longest {longest:.1f}", flush=True)
