"""The simulator's settings. Of the platform it shares the database, in a schema of its own, and the bank's credentials."""

from __future__ import annotations

from pathlib import Path

from woovi import env
from woovi.local import embedded
from woovi.settings import (
    BANK_CALLBACK_TOKEN,
    BANK_CLIENT_ID,
    BANK_CLIENT_SECRET,
    BANK_ISPB,
    BANK_URL,
    SECRET_KEY,
)

HERE = Path(__file__).resolve().parent
SCHEMA = "bank_sim"
# The bank's one customer, whose name it writes into each BR Code.
ACCOUNT_HOLDER, ACCOUNT_CITY = "Loja Demonstração", "São Paulo"
PAYER_ISPB = "99999008"  # the bank of everyone who pays

DEBUG = False
ALLOWED_HOSTS = ["*"]  # a test tool on loopback, reached under whatever name the developer uses
INSTALLED_APPS = ["bank_simulator"]
# None: each would cost every synchronous view a switch of threads. Pages set their own headers and CSRF check.
MIDDLEWARE: list[str] = []
ROOT_URLCONF = "bank_simulator.urls"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

DATABASES = {"default": env.database(env.text("DATABASE_URL", embedded.database_url()))}
DATABASES["default"]["OPTIONS"].update(  # type: ignore[attr-defined]
    {"options": f"-c search_path={SCHEMA}", "pool": {"min_size": 1, "max_size": 10}}
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TIME_ZONE = "America/Sao_Paulo"
USE_TZ = True
LANGUAGE_CODE = "pt-br"
APPEND_SLASH = False
CSRF_COOKIE_NAME = "bank_csrf"  # the platform's pages may be on the same host
CSRF_COOKIE_HTTPONLY = True
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576  # bytes
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {"django.request": {"level": "ERROR"}},  # a refusal is an answer, not a warning
}
