from __future__ import annotations

import subprocess
import sys

from django.db import connection

from tests.processes import ROOT
from tests.topologies.fixtures import on_valkey
from woovi.local import embedded


@on_valkey
def test_a_project_uses_the_room_alone(tables: None) -> None:
    url = embedded.database_url(str(connection.settings_dict["NAME"]))
    command = [sys.executable, "-m", "tests.woovi.locks.project", url]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert said.stdout == "Ana []\n", said.stderr
