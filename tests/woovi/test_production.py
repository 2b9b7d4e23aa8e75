"""Production refuses to start on nonsense, and says all that is wrong at once."""

from __future__ import annotations

import ast
import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from woovi.local import embedded
from woovi.variables import KNOWN, strangers

ROOT = Path(__file__).resolve().parent.parent.parent


def pem(bits: int = 2048) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


RIGHT = {
    "WOOVI_ENV": "production",
    "DATABASE_URL": "postgresql://woovi:password@db.example/woovi",
    "REDIS_URL": "redis://cache.example",
    "SECRET_KEY": secrets.token_urlsafe(48),
    "PUBLIC_URL": "https://pay.example.com",
    "BANK_URL": "https://pix.bank.example/api",
    "BANK_CLIENT_ID": "id",
    "BANK_CLIENT_SECRET": "secret",
    "BANK_CALLBACK_TOKEN": secrets.token_urlsafe(24),
    "WEBHOOK_KEY": pem(),
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path


def given(data: Path, **environment: str | None) -> dict[str, str]:
    """RIGHT, changed by `environment`; None takes a variable away."""
    everything = {"PATH": os.environ["PATH"], "WOOVI_DATA_DIR": str(data), **RIGHT, **environment}
    return {name: value for name, value in everything.items() if value is not None}


def start(data: Path, *command: str, **environment: str | None) -> subprocess.CompletedProcess[str]:
    """Start a process under `given`."""
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=given(data, **environment), capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip


@pytest.fixture(scope="module")
def _starting() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.woovi.starting"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


Settings, Faults = Callable[..., tuple[int, str]], Callable[..., list[str]]


@pytest.fixture
def settings_under(data: Path, _starting: subprocess.Popen[str]) -> Settings:
    """Import the settings under `given`: the exit status, and what was said."""

    def start(**environment: str | None) -> tuple[int, str]:
        assert _starting.stdin
        assert _starting.stdout
        print(json.dumps(given(data, **environment)), file=_starting.stdin, flush=True)
        status, said = json.loads(_starting.stdout.readline())
        return status, said

    return start


@pytest.fixture
def faults(settings_under: Settings) -> Faults:
    """What is wrong with `given`, a line each."""

    def look(**environment: str | None) -> list[str]:
        status, said = settings_under(**environment)
        assert status == 1
        return said.partition("ImproperlyConfigured: ")[2].strip().splitlines()

    return look


def test_what_is_right_starts(data: Path, settings_under: Settings) -> None:
    assert settings_under() == (0, "")
    result = start(data, "-c", "from woovi import settings")  # in a process of its own
    assert (result.returncode, result.stderr) == (0, "")


WRONG: list[tuple[str, str | None, str]] = [
    *((name, None, name) for name in RIGHT if name not in ("WOOVI_ENV", "REDIS_URL")),
    ("REDIS_URL", None, "REDIS_URL must be set"),
    ("REDIS_URL", "embedded://", "REDIS_URL must be set"),
    ("REDIS_URL", "http://cache", "REDIS_URL"),
    ("REDIS_LOCKS_URL", "embedded://", "REDIS_LOCKS_URL"),
    ("DATABASE_URL", "mysql://db/woovi", "DATABASE_URL"),
    ("DEBUG", "true", "DEBUG must be off"),
    ("DEBUG", "perhaps", "DEBUG"),
    ("PUBLIC_URL", "http://pay.example.com", "https"),
    ("PUBLIC_URL", "https://pay.example.com/shop", "path"),
    ("ALLOWED_HOSTS", "*", "ALLOWED_HOSTS must name"),
    ("ALLOWED_HOSTS", "other.example", "PUBLIC_URL"),
    ("BANK_URL", "http://127.0.0.1:8100", "simulator"),
    ("BANK_URL", "http://pix.bank.example", "https"),
    ("BANK_CERTIFICATE", "/nowhere/bank.pem", "BANK_CERTIFICATE"),
    ("BANK_CALLBACK_TOKEN", "token", "BANK_CALLBACK_TOKEN is weak"),
    ("BANK_CALLBACK_TOKEN", "simulated-callback-token", "BANK_CALLBACK_TOKEN is weak"),
    ("BANK_CLIENT_SECRET", "simulated-bank-secret", "BANK_CLIENT_SECRET"),
    ("SECRET_KEY", "short", "SECRET_KEY is weak"),
    ("SECRET_KEY", "s" * 60, "SECRET_KEY is weak"),
    ("SECRET_KEY", "django-insecure-" + secrets.token_urlsafe(48), "SECRET_KEY is weak"),
    ("SECRET_KEY_FALLBACKS", "short", "SECRET_KEY_FALLBACKS is weak"),
    ("METRICS_TOKEN", "short", "METRICS_TOKEN is weak"),
    ("WEBHOOK_KEY", "key", "WEBHOOK_KEY"),
    ("WEBHOOK_KEY", pem(1024), "2048"),
    ("TRUSTED_PROXIES", "0.0.0.0/0", "TRUSTED_PROXIES"),
    ("TRUSTED_PROXIES", "0.0.0.0/1,128.0.0.0/1", "TRUSTED_PROXIES must not be everybody"),
    ("TRUSTED_PROXIES", "10.0.0.0/8, ::ffff:0:0/96", "TRUSTED_PROXIES must not be everybody"),
    ("TRUSTED_PROXIES", "2000::/3", "TRUSTED_PROXIES must not be everybody"),
    ("TRUSTED_PROXIES", "proxy", "TRUSTED_PROXIES"),
    ("RATE_LIMIT_ALLOW", "::/0", "RATE_LIMIT_ALLOW"),
    ("RATE_LIMIT_PROCESSES", "0", "RATE_LIMIT_PROCESSES"),
    ("RETAIN_PERSONAL_DAYS", "10", "RETAIN_WEBHOOKS_DAYS"),
    ("CELERY_BROKER_URL", "redis://other", "REDIS_BROKER_URL"),
    ("DATABSE_URL", "postgresql://db/woovi", "did you mean DATABASE_URL"),
    ("REDIS_LOKCS_URL", "redis://other", "did you mean REDIS_LOCKS_URL"),
    ("WEBHOOK_ATTEMPS", "3", "did you mean WEBHOOK_ATTEMPTS"),
    ("SECRET_KEY_FALBACKS", "x", "did you mean SECRET_KEY_FALLBACKS"),
    ("BANK_CALBACK_TOKEN_FILE", "x", "did you mean BANK_CALLBACK_TOKEN"),
    ("RATE_LIMIT_EVERYTHING", "1", "RATE_LIMIT_EVERYTHING is not a variable"),
    ("REDIS_HOST", "cache", "REDIS_HOST is not a variable"),
    ("DATABASE_URL", "postgresql:/db/woovi", "DATABASE_URL must be"),
    ("DATABASE_URL", "postgresql://db", "DATABASE_URL must be"),
    ("DATABASE_URL", "postgresql://db/woovi?sslmod=require", "sslmod is no option"),
    ("REDIS_CACHE_URL", "redis://cache ", "has a space"),
    ("REDIS_URL", "redis://password@cache", "a user and no password"),
    ("BANK_URL", "http://localhost:8100", "simulator"),
    ("BANK_URL", "http://[::1]:8100/", "simulator"),
    ("DATABASE_URI", "postgresql://db/woovi", "did you mean DATABASE_URL"),
    ("redis_url", "redis://cache", "did you mean REDIS_URL"),
    ("PUBLICURL", "https://a.example", "did you mean PUBLIC_URL"),
    ("TRUSTED_PROXY", "10.0.0.1", "did you mean TRUSTED_PROXIES"),
    ("RATELIMIT_ALLOW", "10.0.0.1", "did you mean RATE_LIMIT_ALLOW"),
    ("BANK_SECRET", "x", "did you mean BANK_CLIENT_SECRET"),
    ("WOOVI_ENVIRONMENT", "production", "did you mean WOOVI_ENV"),
    ("DEBUG", "on", "DEBUG"),
]


@pytest.mark.parametrize(("name", "value", "said"), WRONG, ids=[f"{name}: {said}" for name, _, said in WRONG])
def test_one_fault_is_one_line(faults: Faults, name: str, value: str | None, said: str) -> None:
    (line,) = faults(**{name: value})
    assert said in line
    assert name.removesuffix("_FILE") in line
    assert not value or len(value) < 30 or value not in line, "a secret is not for logs"


def test_all_faults_are_told_at_once(faults: Faults) -> None:
    told = faults(
        DATABASE_URL=None, DATABSE_URL="postgresql://db/x", REDIS_URL=None, SECRET_KEY="x", DEBUG="1",
        WEBHOOK_TIMEOUT="soon", PUBLIC_URL="http://a.example", BANK_URL=None, REDIS_LOCKS_URL="nonsense://",
    )  # fmt: skip
    for name in ("DATABASE_URL", "DATABSE_URL", "REDIS_CACHE_URL", "SECRET_KEY", "DEBUG", "WEBHOOK_TIMEOUT", "PUBLIC_URL", "BANK_URL", "REDIS_LOCKS_URL"):  # fmt: skip
        assert [line for line in told if line.startswith(name)], (name, told)


@pytest.mark.parametrize("command", [("manage.py", "check"), ("-m", "celery", "-A", "woovi", "inspect", "ping")])
def test_no_engine_starts_while_it_refuses(data: Path, command: tuple[str, ...]) -> None:
    result = start(data, *command, DATABASE_URL=None, REDIS_URL=None)
    assert result.returncode
    assert "DATABASE_URL must be set" in result.stderr
    assert not (data / "postgres").exists()
    assert not (data / "valkey").exists()


def test_what_others_set_is_no_fault() -> None:
    kubernetes = {
        "REDIS_SERVICE_HOST": "10.0.0.1", "REDIS_SERVICE_PORT": "6379", "REDIS_SERVICE_PORT_REDIS": "6379",
        "REDIS_PORT": "tcp://10.0.0.1:6379", "REDIS_PORT_6379_TCP": "tcp://10.0.0.1:6379",
        "DATABASE_PORT_5432_TCP_ADDR": "10.0.0.1", "WOOVI_PORT": "tcp://10.0.0.1:80",
    }  # fmt: skip
    known = {"DATABASE_URL_FILE": "/run/secrets/db", "PATH": "/bin", "HOME": "/", "HOSTNAME": "a", "MY_SECRET_KEY": "x"}
    usual = {"PGHOST": "db", "LS_COLORS": "", "MAIL": "", "LANG": "C", "PORTS": "", "REDISCLI_AUTH": "", "COLOR": "1"}
    assert list(strangers(kubernetes | known | usual, ours=True)) == []


def test_development_names_misspellings_and_no_more(settings_under: Settings) -> None:
    development = dict.fromkeys(RIGHT) | {"WOOVI_ENV": None}
    assert settings_under(**development)[0] == 0
    assert settings_under(**development, REDIS_HOST="cache")[0] == 0
    for name in ("WOVI_ENV", "WOOVI_ENVIRONMENT", "WOOVI_MODE", "WOOVIENV"):  # which would leave it in development
        assert "did you mean WOOVI_ENV" in settings_under(**development, **{name: "production"})[1]


@pytest.mark.parametrize(
    ("url", "starts"),
    [("http://localhost:9000", True), ("http://[::1]:9000", True), ("https://pix.bank.example", False)],
)
def test_a_real_bank_is_for_production_alone(settings_under: Settings, url: str, starts: bool) -> None:
    status, said = settings_under(**(dict.fromkeys(RIGHT) | {"WOOVI_ENV": None, "BANK_URL": url}))
    assert (status == 0) is starts
    assert starts or "WOOVI_ENV=production" in said


def test_check_deploy_is_clean(data: Path, django_db_setup: None) -> None:
    result = start(
        data, "manage.py", "check", "--deploy", "--fail-level", "DEBUG",
        DATABASE_URL=embedded.database_url(), REDIS_URL=embedded.redis_url(),
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "no issues" in result.stdout


def test_options_of_the_database_do_not_push_ours_out(data: Path) -> None:
    script = "from woovi.settings import DATABASES; print(DATABASES['default']['OPTIONS']['options'])"
    url = RIGHT["DATABASE_URL"] + "?options=-c%20statement_timeout%3D5s"
    printed = start(data, "-c", script, DATABASE_URL=url).stdout
    assert printed == "-c statement_timeout=5s -c idle_in_transaction_session_timeout=45s\n"


def test_every_variable_is_documented() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    table = "\n".join(line for line in text.splitlines() if line.startswith("| `"))
    assert sorted(KNOWN - set(re.findall(r"`([A-Z][A-Z_]+)`", table))) == []


def test_no_variable_is_listed_in_vain() -> None:
    """Each is read somewhere, and what is read from the environment is listed."""
    read: set[str] = set()
    for folder in ("woovi", "payments", "realtime"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in KNOWN:
                    read.add(node.value)
    read |= {name for name in KNOWN if re.fullmatch(r"REDIS_[A-Z]+_URL", name)}
    assert KNOWN - read == set()
