"""The quick starts of docs/quick-start.md are run as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings

from tests import node_sdk
from tests.bank_process import BankProcess
from tests.payments.api.conftest import Merchant, merchant

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = (Path(django_settings.BASE_DIR) / "docs" / "quick-start.md").read_text()
BLOCKS = dict(re.findall(r"^```(bash|python|js)\n(.*?)^```$", PAGE, re.M | re.S))


# Where a machine has no curl: the options that the page uses.
CURL = """#!{python}
import argparse, sys
from urllib.request import Request, urlopen
parser = argparse.ArgumentParser()
parser.add_argument("-s", action="store_true")
parser.add_argument("-H", action="append")
parser.add_argument("-d")
parser.add_argument("url")
given = parser.parse_args()
headers = dict(each.split(": ", 1) for each in given.H)
sys.stdout.buffer.write(urlopen(Request(given.url, given.d and given.d.encode(), headers)).read())
"""


@pytest.fixture
def shop(live_server: Any, settings: Any, bank: BankProcess) -> Merchant:
    settings.PUBLIC_URL = live_server.url
    return merchant()


@pytest.mark.parametrize("language", ["bash", "python", "js"])
def test_it_ends_with_a_paid_charge(shop: Merchant, live_server: Any, tmp_path: Path, language: str) -> None:
    script = tmp_path / "start.mjs"
    script.write_text(BLOCKS[language])
    command = {"bash": ["bash", "-eu"], "python": [sys.executable], "js": [str(node_sdk.program("node"))]}[language]
    if language == "js":
        index = node_sdk.required()
        (tmp_path / "node_modules" / "@woovi").mkdir(parents=True)
        (tmp_path / "node_modules" / node_sdk.PACKAGE).symlink_to(index.parent.parent)
    env = {**os.environ, "WOOVI": live_server.url, "APP_ID": shop.app_id}
    if not shutil.which("curl"):
        (tmp_path / "curl").write_text(CURL.format(python=sys.executable))
        (tmp_path / "curl").chmod(0o755)
        env["PATH"] = f"{tmp_path}:{env['PATH']}"
    done = subprocess.run([*command, str(script)], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("COMPLETED"), done.stdout
