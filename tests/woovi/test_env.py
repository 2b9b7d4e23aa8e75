"""Settings refuse nonsense with one line that names the variable."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from woovi import env

NAME = "EMAIL_HOST_USER"  # any that is listed


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (lambda: env.flag(NAME, True), "maybe"),
        (lambda: env.flag(NAME, True), "2"),
        (lambda: env.integer(NAME, 5), "five"),
        (lambda: env.integer(NAME, 5), "1.5"),
        (lambda: env.integer(NAME, 5, minimum=1), "0"),
        (lambda: env.integer(NAME, 5, maximum=9), "10"),
        (lambda: env.choice(NAME, ["a", "b"], "a"), "c"),
        (lambda: env.http_url(NAME, "http://a"), "ftp://a"),
        (lambda: env.http_url(NAME, "http://a"), "http://"),
        (lambda: env.http_url(NAME, "http://a"), "a.example"),
        (lambda: env.http_url(NAME, "http://a"), "http://a?b"),
        (lambda: env.http_url(NAME, "http://a"), "http://a:port"),
        (lambda: env.http_url(NAME, "http://a"), "https://pay example.com"),
        (lambda: env.http_url(NAME, "http://a"), "https://pay.example.com,https://b.example"),
        (lambda: env.http_url(NAME, "http://a"), "https://user:password@a"),
        (lambda: env.networks(NAME, ""), "10.0.0.0/8, 10.0.0.300"),
    ],
)
def test_nonsense_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, read: Callable[[], object], value: str) -> None:
    monkeypatch.setenv(NAME, value)
    with pytest.raises(ImproperlyConfigured, match=NAME):
        read()


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (lambda: env.flag(NAME, True), "", True),
        (lambda: env.flag(NAME, True), "No", False),
        (lambda: env.flag(NAME, False), "TRUE", True),
        (lambda: env.integer(NAME, 5), "", 5),
        (lambda: env.integer(NAME, 5), "7", 7),
        (lambda: env.choice(NAME, ["a", "b"], "a"), "", "a"),
        (lambda: env.comma_separated(NAME, "a, b"), "", ["a", "b"]),
        (lambda: env.comma_separated(NAME, ""), " x ,, y", ["x", "y"]),
        (lambda: env.http_url(NAME, "http://a"), "https://b.example/", "https://b.example"),
        (lambda: env.text(NAME, "default"), "", "default"),
    ],
)
def test_sense_is_taken(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[], object], value: str, expected: object
) -> None:
    monkeypatch.setenv(NAME, value)
    assert read() == expected


def test_a_text_without_default_must_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME, raising=False)
    with pytest.raises(ImproperlyConfigured, match=NAME):
        env.text(NAME)


def test_a_text_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file\n")
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "secret"))
    assert env.text(NAME) == "from a file"
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "missing"))
    with pytest.raises(ImproperlyConfigured, match=f"{NAME}_FILE"):
        env.text(NAME)


def test_a_database_url() -> None:
    assert env.database("postgresql://me:p%40ss@db.example:5433/woovi?sslmode=require") == {
        "ENGINE": "woovi.postgres",
        "NAME": "woovi",
        "USER": "me",
        "PASSWORD": "p@ss",
        "HOST": "db.example",
        "PORT": "5433",
        "OPTIONS": {"sslmode": "require"},
    }
    assert env.database("postgresql://postgres@/woovi?host=%2Ftmp%2Fx")["HOST"] == "/tmp/x"
    assert env.database("postgresql:///woovi")["HOST"] == "", "libpq's own socket"
    assert env.database("postgres://a,b/woovi")["HOST"] == "a,b"


@pytest.mark.parametrize(
    "url",
    [
        "mysql://db/woovi", "postgresql://db:port/woovi", "postgresql+psycopg://db/woovi", "postgress://db/woovi",
        "postgresql:/u:secret@db/woovi", "postgresql:u:secret@db/woovi", "postgresql//db/woovi", "db/woovi",
        "host=db dbname=woovi password=secret", "'postgresql://u:secret@db/woovi'",
        "postgresql://u:secret@db", "postgresql://u:secret@db/", "postgresql://",  # it would be the database postgres
        "postgresql://u:secret@db/woovi ", "postgresql://u:secret@db/woovi\n", "postgresql://u:secret@ db/woovi",
        "postgresql://u:secret/x@db/woovi", "postgresql://u:12/secret@db/woovi", "postgresql://u:secret#x@db/woovi",
        "postgresql://u:12#secret@db/woovi", "postgresql://u:12?secret@db/woovi", "postgresql://u:secret@db/woovi#x",
        "postgresql://u:secret@db/woovi/more", "postgresql://u:secret@db/woovi?sslmod=require",
        "postgresql://u:secret@db/woovi?pool=true", "postgresql://${USER}:secret@${HOST}/woovi",
        "postgresql://u:secret@db/${NAME}", "postgresql://u:secret@<host>/woovi",
    ],
)  # fmt: skip
def test_a_database_url_that_is_misspelt_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL") as refusal:
        env.database(url)
    assert "secret" not in str(refusal.value)


def test_a_password_in_a_url_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("https://user:password@a", "https://user:password@a:port", "ftp://user:password@a"):
        monkeypatch.setenv(NAME, url)
        with pytest.raises(ImproperlyConfigured) as refused:
            env.http_url(NAME, "http://a")
        assert "password@" not in str(refused.value)


def test_a_file_and_a_value_together_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("7")
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "secret"))
    assert env.integer(NAME, 5) == 7, "every kind may come from a file"
    monkeypatch.setenv(NAME, "7")
    with pytest.raises(ImproperlyConfigured, match=f"{NAME} and {NAME}_FILE"):
        env.text(NAME)
    monkeypatch.delenv(NAME)
    (tmp_path / "secret").write_text(" \n")
    with pytest.raises(ImproperlyConfigured, match="empty"):
        env.text(NAME)
    (tmp_path / "secret").write_bytes(b"\xff\xfe")
    with pytest.raises(ImproperlyConfigured, match="not UTF-8"):
        env.text(NAME)


def test_what_is_not_listed_is_not_read() -> None:
    with pytest.raises(LookupError, match=r"woovi\.variables"):
        env.text("WOOVI_NOT_LISTED", "")


def test_faults_are_gathered_and_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "nonsense")
    env.gather()
    assert (env.integer(NAME, 5), env.flag(NAME, True), env.text("SECRET_KEY")) == (5, True, "")
    with pytest.raises(ImproperlyConfigured) as told:
        env.refuse_faults("one more")
    assert len(str(told.value).splitlines()) == 4
    env.refuse_faults()
    with pytest.raises(ImproperlyConfigured):
        env.integer(NAME, 5)


def settings(**environment: str) -> subprocess.CompletedProcess[str]:
    """Read the settings in a process of its own with this environment alone."""
    script = "from woovi import settings; print(settings.DEBUG, len(settings.SECRET_KEY))"
    return subprocess.run(
        [sys.executable, "-c", script],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_development_makes_a_private_key_and_keeps_it(tmp_path: Path) -> None:
    environment = {"WOOVI_DATA_DIR": str(tmp_path)}
    assert settings(**environment).stdout == "False 64\n"
    first = (tmp_path / "secret_key").read_text()
    settings(**environment)
    assert (tmp_path / "secret_key").read_text() == first
    for secret in ("secret_key", "bank_callback_token"):
        assert (tmp_path / secret).stat().st_mode & 0o777 == 0o600


def test_no_two_data_folders_share_a_callback_token(tmp_path: Path) -> None:
    tokens = set()
    for folder in (tmp_path / "a", tmp_path / "b"):
        settings(WOOVI_DATA_DIR=str(folder))
        tokens.add((folder / "bank_callback_token").read_text())
    assert len(tokens) == 2
    assert min(map(len, tokens)) >= 43
