"""A whole Django project that uses the room alone: `python -m tests.woovi.locks.project DATABASE_URL`."""

import sys

import django
from django.conf import settings

from woovi import env

settings.configure(DATABASES={"default": env.database(sys.argv[1])}, INSTALLED_APPS=[], USE_TZ=True)
django.setup()

from django.db import connection, models  # noqa: E402

from woovi.locks import FencedModel  # noqa: E402


class Seat(FencedModel):
    taken_by = models.CharField(max_length=20, default="")

    class Meta:
        app_label = "theatre"
        db_table = "theatre_seat"


with connection.schema_editor() as editor:
    editor.create_model(Seat)
Seat.objects.create(pk=1)
with Seat.objects.lock_for_update(pk=1) as locked:
    locked.row.taken_by = "Ana"
    locked.row.save()
print(
    Seat.objects.get(pk=1).taken_by, sorted(name for name in sys.modules if name.startswith(("payments", "realtime")))
)
with connection.schema_editor() as editor:
    editor.delete_model(Seat)
