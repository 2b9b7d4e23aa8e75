"""All settings, read from the environment. `woovi.variables` lists the variables, `docs/operations.md` explains them."""

from __future__ import annotations

import hashlib
import os
import secrets
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from woovi import env, production, redis
from woovi.local import embedded

env.gather()

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = embedded.data_dir()

WOOVI_ENV = env.choice("WOOVI_ENV", ["development", "test", "production"], "development")
PRODUCTION = WOOVI_ENV == "production"
DEBUG = env.flag("DEBUG", False)


def _own(name: str) -> str | None:
    """Development's random secret of this data directory: it outlives restarts, and none is shipped in the code."""
    return None if PRODUCTION else env.generated(DATA_DIR / name, lambda: secrets.token_urlsafe(48))


SECRET_KEY = env.text("SECRET_KEY", _own("secret_key"))
SECRET_KEY_FALLBACKS = env.comma_separated("SECRET_KEY_FALLBACKS", "")  # former keys: they open what they sealed
PUBLIC_URL = env.http_url("PUBLIC_URL", "http://127.0.0.1:8000")
ALLOWED_HOSTS = env.comma_separated("ALLOWED_HOSTS", f"{urlsplit(PUBLIC_URL).hostname},localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

INSTALLED_APPS = [
    "woovi.lazy_admin.LazyAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.staticfiles",
    "channels",
    "csp",
    "django_htmx",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "woovi.redis",
    "woovi.local",
    "woovi.outbox",
    "woovi.queue",
    "woovi.ratelimit",
    "payments",
    "realtime",
]
MIDDLEWARE = [
    "woovi.trace.middleware",
    "payments.api.middleware.api_front_door",
    "woovi.ratelimit.middleware.rate_limits",
    "django.middleware.security.SecurityMiddleware",
    "woovi.http.compress.compressed",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "woovi.threads.one_thread",  # the last
]
# What programs ask for has no session, language, form or page: the rest took a fifth of reading a charge.
PROGRAMS_MIDDLEWARE = [
    "woovi.trace.middleware",
    "payments.api.middleware.api_front_door",
    "woovi.ratelimit.middleware.rate_limits",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
]
ROOT_URLCONF = "woovi.urls"
ASGI_APPLICATION = "woovi.asgi.application"
APPEND_SLASH = False  # a POST is never redirected
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "payments" / "templates"],  # before the admin's own: a search on each of its pages
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {"default": env.database(env.text("DATABASE_URL", embedded.database_url()))}
# Under ASGI a thread a request would open a connection each and keep it; the pool bounds and shares them.
# A thread that gets none in five seconds answers 503 (payments/web/errors.py), before its client gives up. `woovi.postgres`
# gives no request a connection that died with PostgreSQL.
DATABASES["default"]["OPTIONS"]["pool"] = {  # type: ignore[index]
    "min_size": 0,
    "max_size": env.integer("DATABASE_POOL", 20, 1, 500),
    "timeout": 5,
}
# Nobody may sleep in a transaction for longer than the balances' write intents live (woovi.cache).
_given = DATABASES["default"]["OPTIONS"].get("options", "")  # type: ignore[attr-defined]
DATABASES["default"]["OPTIONS"]["options"] = f"{_given} -c idle_in_transaction_session_timeout=45s".strip()  # type: ignore[index]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# All to standard error, which the service manager keeps. An exception that nobody caught leaves its traceback
# (django.request, ERROR); lines name ids and never a secret, a Pix key or a person. Celery's processes use this too.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"routes": {"()": "woovi.log.RoutesOnly"}, "trace": {"()": "woovi.trace.WithTrace"}},
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s%(trace)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["trace"]}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "django": {"handlers": [], "level": "WARNING"},  # instead of Django's own: mail, and a console under DEBUG only
        "django.request": {"level": "ERROR", "filters": ["routes"]},  # a client's 404 is no warning to us
        "payments": {"level": "INFO"},
        "realtime": {"level": "INFO"},
        "woovi": {"level": "INFO"},
    },
}

try:
    CACHES = {"default": redis.django_cache()}
    QUEUE_BROKER = redis.celery_broker()  # here, so that every process refuses what cannot be a broker
    for _role in redis.ROLES:
        redis.address(_role)
except ImproperlyConfigured as error:
    env.fault(str(error), None)

AUTH_USER_MODEL = "payments.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
AUTHENTICATION_BACKENDS = ["woovi.ratelimit.login.GuardedBackend"]
OTP_TOTP_ISSUER = "Woovi"
OPERATOR_SECOND_FACTOR = (
    PRODUCTION  # whether the admin lets nobody in without one; a demo's operator has only a password
)
OTP_TOTP_THROTTLE_FACTOR = OTP_STATIC_THROTTLE_FACTOR = 0  # woovi.ratelimit.login limits codes, and never the owner
LOGIN_URL = "web:login"
LOGIN_REDIRECT_URL = "web:dashboard"
LOGOUT_REDIRECT_URL = "web:login"

LANGUAGE_CODE = "pt-br"
LANGUAGES = [("pt-br", "Português"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "payments" / "locale"]
TIME_ZONE = "America/Sao_Paulo"  # how pages show time; stored and sent times are UTC
USE_TZ = True
FORMAT_MODULE_PATH = ["payments.formats"]

STATIC_URL = "/static/"
# The API's documentation page. Its package is no installed app: every command and worker would import it with pydantic.
STATICFILES_DIRS = [("ninja", Path(find_spec("ninja").submodule_search_locations[0]) / "static" / "ninja")]  # type: ignore[union-attr,index]
STATIC_ROOT = DATA_DIR / "static"  # of `collectstatic`; without it WhiteNoise asks the finders
try:
    STATIC_ROOT.mkdir(parents=True, exist_ok=True)
except OSError as error:
    env.fault(f"WOOVI_DATA_DIR: cannot use {DATA_DIR}: {error.strerror}", None)
WHITENOISE_USE_FINDERS = True

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https://")
# Cookies know no ports: two platforms on one machine would end each other's sessions.
if WOOVI_ENV == "development":
    _suffix = hashlib.sha256(os.fsencode(DATA_DIR)).hexdigest()[:8]
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"sessionid_{_suffix}", f"csrftoken_{_suffix}"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE, LANGUAGE_COOKIE_HTTPONLY = SESSION_COOKIE_SECURE, True
LANGUAGE_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "payments.web.errors.csrf_failure"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if PUBLIC_URL.startswith("https://"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000
if PRODUCTION:
    # Not what asks from within, nor the bank's callback: a POST that is redirected becomes a GET.
    SECURE_SSL_REDIRECT, SECURE_REDIRECT_EXEMPT = True, [r"^healthz$", r"^metrics", r"^bank/"]
# Whether other names of the domain have TLS, and want to be on browsers' lists for good, is for its owner to say.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "connect-src": ["'self'", PUBLIC_URL.replace("http", "ws", 1)],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576  # bytes of a request's body
# The page where people upload files of payouts; a million rows are some 70 MB.
BODY_LIMITS = {"/batches": env.integer("PAYOUT_FILE_BYTES", 104_857_600, 1_048_576)}

# The bank that receives and sends for this platform.
BANK_URL = env.http_url("BANK_URL", "http://127.0.0.1:8100")
BANK_CLIENT_ID = env.text("BANK_CLIENT_ID", None if PRODUCTION else "woovi")
BANK_CLIENT_SECRET = env.text("BANK_CLIENT_SECRET", None if PRODUCTION else "simulated-bank-secret")
BANK_CERTIFICATE = env.text("BANK_CERTIFICATE", "")  # path of a PEM with certificate and key, for mutual TLS
BANK_TIMEOUT = env.integer("BANK_TIMEOUT", 10, 1, 60)  # seconds
# What the proxy that ends the bank's mutual TLS puts on a callback, in X-Bank-Callback-Token.
BANK_CALLBACK_TOKEN = env.text("BANK_CALLBACK_TOKEN", _own("bank_callback_token"))
BANK_SIMULATOR = "bank_simulator"  # the program that plays the bank in development
BANK_ISPB = env.text("BANK_ISPB", "54811417")

# Webhooks out (Woovi: 8 deliveries, the n-th failure waits 10 * 2^(n-1) seconds, 100 s for an answer).
WEBHOOK_ATTEMPTS = env.integer("WEBHOOK_ATTEMPTS", 8, 1, 20)
WEBHOOK_BACKOFF = env.integer("WEBHOOK_BACKOFF", 10, 1, 3600)
WEBHOOK_TIMEOUT = env.integer("WEBHOOK_TIMEOUT", 100, 1, 100)
# Seconds after which a dead worker's rows go to another; and rows that a worker has at the bank at once, of one chunk.
# The lease is longer than a send lasts, connecting included: a worker sends nothing that could outlast it.
PAYOUT_LEASE = env.integer("PAYOUT_LEASE", max(30, 3 * BANK_TIMEOUT), 2 * BANK_TIMEOUT + 1, 600)
PAYOUT_CHUNKS = env.integer("PAYOUT_CHUNKS", 2, 1, 100)  # of one company, paid at the same time by all workers
PAYOUT_IN_FLIGHT = env.integer("PAYOUT_IN_FLIGHT", 10, 1, 100)
# Days until what was told is forgotten (`manage.py prune`): webhooks' deliveries and answers; people in events.
RETAIN_WEBHOOKS_DAYS = env.integer("RETAIN_WEBHOOKS_DAYS", 30, 1, 3_650)
RETAIN_PERSONAL_DAYS = env.integer("RETAIN_PERSONAL_DAYS", 90, 1, 3_650)
WEBHOOK_KEY = env.text("WEBHOOK_KEY", None if PRODUCTION else "")  # PEM of the RSA key; development makes one
WEBHOOK_IPS = env.networks("WEBHOOK_IPS", "")  # where our webhooks come from, as receivers see it
WEBHOOK_ALLOW_PRIVATE = env.flag("WEBHOOK_ALLOW_PRIVATE", not PRODUCTION)  # endpoints on loopback and private networks

# Mail to people, of which there is little. Without a server it goes to the worker's standard output.
EMAIL_HOST = env.text("EMAIL_HOST", "")
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'console'}.EmailBackend"
EMAIL_PORT = env.integer("EMAIL_PORT", 587, 1, 65_535)
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_USER", ""), env.text("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS", True)
EMAIL_TIMEOUT = 10  # seconds
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", f"no-reply@{urlsplit(PUBLIC_URL).hostname}")

# Without Redis, woovi.locks locks rows by the database alone, or refuses.
LOCKS_WITHOUT_REDIS = env.choice("LOCKS_WITHOUT_REDIS", ["database", "refuse"], "database")

# Which GraphQL documents are run: those of payments/graphql/documents, or any.
GRAPHQL_DOCUMENTS = env.choice("GRAPHQL_DOCUMENTS", ["known", "any"], "known" if PRODUCTION else "any")

# Rate limits: the product's own words for them, and where requests come from. docs/ratelimit.md
RATE_LIMIT_POLICIES = "payments.limits.POLICIES"
RATE_LIMIT_RULES = "payments.limits.rules"
RATE_LIMIT_IMPORTANCE = "payments.limits.importance"
RATE_LIMIT_STREAMS = {"/api/v1/events"}
RATE_LIMIT_REFUSAL = "payments.web.errors.refused"
RATE_LIMIT_IN_FLIGHT = env.integer("RATE_LIMIT_IN_FLIGHT", 200, 5, 100_000)  # requests of one process at once
RATE_LIMIT_STRANGERS = env.integer("RATE_LIMIT_STRANGERS", 2, 1, 1_000)  # served at once by one process; others wait
RATE_LIMIT_PROCESSES = env.integer("RATE_LIMIT_PROCESSES", 2, 1, 10_000)  # that share a limit while Redis is away
RATE_LIMIT_ALLOW = env.networks("RATE_LIMIT_ALLOW", "" if PRODUCTION else "127.0.0.0/8,::1")  # never counted by address
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES", "127.0.0.0/8,::1")  # whose X-Forwarded-For is believed

METRICS_TOKEN = env.text("METRICS_TOKEN", "")  # what Prometheus shows at /metrics/ratelimit; without it there is none

# What carries outbox events whose topic begins with the prefix, in this order. Pages first: they wait for nothing.
OUTBOX_HANDLERS = {
    "": "woovi.pubsub.carry",
    "task:": "woovi.queue.carry",
    "cache:": "woovi.cache.versioned.settle",
    "OPENPIX:": "payments.services.webhooks.deliveries.fan_out",
}
QUEUE_APP, QUEUE_PREFIX = "woovi.celery.app", "payments."
QUEUE_PERIODIC = "woovi.schedule.SCHEDULE"

env.refuse_faults(*production.faults(globals(), redis.ROLES))
