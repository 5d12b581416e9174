"""All settings of Lifecycle. Those of an installation come from the environment; docs/settings.md lists
them.
"""

from __future__ import annotations

import os
from pathlib import Path

import dj_database_url
import django_stubs_ext
import plotly
from django.urls import reverse_lazy

from lifecycle.runtime.env import (
    BadSetting,
    cache_at,
    env_bool,
    env_float,
    env_int,
    env_list,
    env_str,
    mail_settings,
    secret_file,
)
from lifecycle.runtime.task_types import plugins

# lxml, where it is there too, reads line ends and reports damage in its own way
os.environ.setdefault("OPENPYXL_LXML", "False")
django_stubs_ext.monkeypatch()  # generic forms and querysets can be written with their type

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env_str("DATA_DIR") or BASE_DIR / "var").resolve()

# ── Installation ────────────────────────────────────────────────────────────
DEBUG = env_bool("DEBUG", False)
DEMO = env_bool("DEMO", False)
SECRET_KEY = env_str("SECRET_KEY") or secret_file(DATA_DIR / "secret_key")
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env_list("CSRF_TRUSTED_ORIGINS", [])
PORT = env_int("PORT", 8000, low=1, high=65535)
INFERENCE_PORT = env_int("INFERENCE_PORT", 8001, low=1, high=65535)
INFERENCE_URL = env_str("INFERENCE_URL") or f"http://127.0.0.1:{INFERENCE_PORT}"
METRICS_TOKEN = env_str("METRICS_TOKEN")  # for /metrics; without it, this machine only
# texts of requests are erased after that
PREDICTION_TEXT_DAYS = env_int("PREDICTION_TEXT_DAYS", 30, low=0, high=3650)
# predictions themselves are deleted after that; figures stay
PREDICTION_DAYS = env_int("PREDICTION_DAYS", 90, low=31, high=3650)
# minute rollups are kept so long, then only hourly ones
MINUTE_DAYS = env_int("MINUTE_DAYS", 14, low=14, high=365)
# figures by the hour; those by the day are kept for good
HOUR_DAYS = env_int("HOUR_DAYS", 730, low=90, high=3650)
# of engine CPU time; None: cost is not measured
PRICE_PER_CORE_HOUR = env_float("PRICE_PER_CORE_HOUR", None, low=0, high=10_000)
CURRENCY = env_str("CURRENCY", "EUR")[:10]
TRAINING_DEVICE = env_str("TRAINING_DEVICE", "cpu")  # of a worker that trains
TRAINING_IMAGE = env_str("TRAINING_IMAGE")  # of a run's Kubernetes Job
TRAINING_CLAIM = env_str("TRAINING_CLAIM", "lifecycle-data")
UPLOAD_MAX_BYTES = env_int("UPLOAD_MAX_MB", 512, low=1, high=100_000) * 1024 * 1024

# ── Rooms, from the roof down to the ground ─────────────────────────────────
ROOMS = [
    "lifecycle.roof.demo",
    "lifecycle.roof.trace",
    "lifecycle.roof.home",
    "monitoring.overview",
    "monitoring.retraining",
    "monitoring.rollouts",
    "monitoring.alerts",
    "monitoring.drift",
    "monitoring.traffic",
    "registry.endpoints",
    "registry.promotions",
    "registry.catalog",
    "registry.policies",
    "lifecycle.modeling.evaluation",
    "lifecycle.modeling.training",
    "datasets_app.scanning",
    "datasets_app.snapshots",
    "datasets_app.schemas",
    "datasets_app.prelabels",
    "datasets_app.queues",
    "datasets_app.quality",
    "datasets_app.review",
    "datasets_app.exchange",
    "datasets_app.assist",
    "datasets_app.datasets",
    "registry.audit",
    "lifecycle.ground.jobs",
    "lifecycle.ground.notices",
    "registry.ground.access",
    "lifecycle.ui",
    "registry.ground.artifacts",
    "registry.ground.ledger",
]
INSTALLED_APPS = [
    *ROOMS,
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "guardian",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "template_partials",
    "lucide",
    "csp",
]
MIDDLEWARE = [
    "lifecycle.roof.home.counting.CountingMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "lifecycle.ui.middleware.RefusalMiddleware",
]
ROOT_URLCONF = "lifecycle.urls"
WSGI_APPLICATION = "lifecycle.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates", *plugins.folders("templates")],
        "OPTIONS": {
            "loaders": [
                (
                    "template_partials.loader.Loader",
                    [
                        (
                            "django.template.loaders.cached.Loader",
                            [
                                "lifecycle.ui.templates.Loader",
                                "django.template.loaders.app_directories.Loader",
                            ],
                        )
                    ],
                )
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "lifecycle.ui.context.shell",
                "lifecycle.roof.demo.context.people",
            ],
        },
    }
]
FORM_RENDERER = "lifecycle.ui.forms.Renderer"

# ── Database: SQLite in WAL mode, or any DATABASE_URL ───────────────────────
DATABASES = {
    "default": dj_database_url.parse(
        env_str("DATABASE_URL") or f"sqlite:///{DATA_DIR / 'lifecycle.sqlite3'}", conn_max_age=60
    )
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # pytest-django knows Django's own engine alone
    DATABASES["default"] |= {"ENGINE": "lifecycle.sqlite", "TEST": {"NAME": ":memory:"}}
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# ── Broker, and what all processes count together: attempts to sign in, requests of an account, used codes
# ──────────────
BROKER_URL = env_str("BROKER_URL") or "filesystem://"
if (
    not (CACHE_URL := env_str("CACHE_URL", "")).startswith(("redis://", "rediss://", "unix://", "memory://"))
    and CACHE_URL
):
    raise BadSetting("CACHE_URL is the address of a Redis (redis://, rediss://, unix://), or memory://.")
CACHES = {"default": cache_at(CACHE_URL or BROKER_URL), "process": cache_at("memory://")}

# ── Blobs ───────────────────────────────────────────────────────────────────
STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": DATA_DIR / "uploads"},
    },
    "blobs": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": DATA_DIR / "blobs"},
    },
    "staticfiles": {"BACKEND": "lifecycle.ui.static.Storage"},
}

# ── People: own sign-in page, no sign-up ────────────────────────────────────
AUTH_USER_MODEL = "access.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
ANONYMOUS_USER_NAME = None  # guardian: no row for anonymous people
SILENCED_SYSTEM_CHECKS = [
    "guardian.W001",  # access.policy reads the grants itself, in one statement
    "security.W005",  # other hosts below the same domain are not ours to bind to HTTPS
    "security.W021",
]
GUARDIAN_MONKEY_PATCH_USER = False
LOGIN_URL = reverse_lazy("account_login")
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*"]
# who has no address signs in all the same; a new one counts once its link was opened
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_CHANGE_EMAIL = True  # one address a person: a new one takes the old one's place when it is confirmed
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_FORMS = {
    "reset_password": "registry.ground.access.forms.ResetForm",
    "reset_password_from_key": "registry.ground.access.forms.NewPasswordForm",
}
ACCOUNT_ADAPTER = "registry.ground.access.adapter.Adapter"
# admins create accounts, so no one takes another's name or needs an address
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_TOTP_ISSUER = "Lifecycle"
ACCOUNT_LOGOUT_REDIRECT_URL = LOGIN_URL
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
HTTPS = env_bool("HTTPS", False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
BEHIND_PROXY = env_bool("BEHIND_PROXY", False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
# whose word on their clients' addresses counts
ALLAUTH_TRUSTED_PROXY_COUNT = env_int("TRUSTED_PROXIES", int(BEHIND_PROXY), low=0, high=10)
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:"],
        "connect-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
if not DEMO and "*" in ALLOWED_HOSTS:
    raise BadSetting("ALLOWED_HOSTS holds *: name the hosts, since a forged Host header would be believed.")

# ── Static files ────────────────────────────────────────────────────────────
STATIC_URL = "/static/"
STATIC_ROOT = env_str("STATIC_ROOT") or DATA_DIR / "static"
STATICFILES_DIRS = [
    BASE_DIR / "static",
    *plugins.folders("static"),
    ("vendor/plotly", Path(plotly.__file__).parent / "package_data"),
]
WHITENOISE_MAX_AGE = 3600

# ── API ─────────────────────────────────────────────────────────────────────
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "registry.ground.access.tokens.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["registry.ground.access.parsing.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "registry.ground.access.schema.Schema",
    "DEFAULT_THROTTLE_CLASSES": [
        "rest_framework.throttling.AnonRateThrottle",
        "rest_framework.throttling.UserRateThrottle",
    ],
    "DEFAULT_THROTTLE_RATES": {
        "anon": "60/min",
        "user": env_str("API_RATE", "1200/min"),
        "feedback": "6000/min",
    },
    "NUM_PROXIES": ALLAUTH_TRUSTED_PROXY_COUNT,
    "EXCEPTION_HANDLER": "registry.ground.access.answers.api_exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Lifecycle",
    "VERSION": "1",
    "DESCRIPTION": (
        "Every action of the product: the same permissions and the same errors `{code, message, fields}` as"
        " the pages."
    ),
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    # a name for each set of words that several fields share, or whose field's name several sets share
    "ENUM_NAME_OVERRIDES": {
        "RoleEnum": "registry.ground.access.roles.Role",
        "JobStateEnum": "lifecycle.ground.jobs.rules.State",
        "PriorityEnum": "lifecycle.ground.jobs.api.PRIORITY_WORDS",
        "ChannelKindEnum": "lifecycle.ground.notices.rules.ChannelKind",
        "BaseModelKindEnum": "lifecycle.modeling.training.models.BaseModel.Kind",
        "RunStateEnum": "lifecycle.modeling.training.rules.RunState",
        "SweepStateEnum": "lifecycle.modeling.training.rules.SweepState",
        "RuleKindEnum": "datasets_app.assist.matching.Kind",
        "QueueSourceEnum": "datasets_app.queues.models.queues.Queue.Source",
        "QueueStateEnum": "datasets_app.queues.models.queues.Queue.State",
        "FindingKindEnum": "datasets_app.scanning.rules.Kind",
        "FindingStatusEnum": "datasets_app.scanning.rules.Status",
        "ScanKindEnum": "datasets_app.scanning.rules.ScanKind",
        "PromotionStatusEnum": "registry.promotions.rules.Status",
        "AlertStateEnum": "monitoring.alerts.rules.state.State",
        "ObjectiveKindEnum": "monitoring.alerts.rules.objectives.Kind",
        "DriftStateEnum": "monitoring.drift.rules.State",
        "MonitorEnum": "monitoring.drift.rules.Monitor",
        "RetrainingStateEnum": "monitoring.retraining.rules.state.State",
        "TriggerKindEnum": "monitoring.retraining.rules.settings.Kind",
        "RolloutStateEnum": "monitoring.rollouts.rules.state.State",
        "FeedbackKindEnum": "monitoring.traffic.rules.FeedbackKind",
    },
}

# ── Jobs ────────────────────────────────────────────────────────────────────
# a worker silent for this long has lost its job
JOB_LEASE_SECONDS = env_int("JOB_LEASE_SECONDS", 30, low=4, high=3600)
# outside the database, ideally on another disk
CHECKPOINT_DIR = Path(env_str("AUDIT_CHECKPOINT_DIR") or DATA_DIR / "checkpoints")

# ── Messages to the outside ─────────────────────────────────────────────────
# how people reach this site, for links in messages
SITE_URL = (env_str("SITE_URL") or f"http://localhost:{PORT}").rstrip("/")
EMAIL_URL = env_str("EMAIL_URL")
EMAIL_IS_SET = bool(EMAIL_URL)
globals().update(mail_settings(EMAIL_URL))
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env_str("EMAIL_FROM", "lifecycle@localhost")
WEBHOOK_ALLOW_PRIVATE = env_bool("WEBHOOK_ALLOW_PRIVATE", False)
# called every minute while alerts are evaluated: for a watcher outside
HEARTBEAT_URL = env_str("HEARTBEAT_URL")

# ── Base models ─────────────────────────────────────────────────────────────
# where local ones may lie
BASE_MODEL_DIRS = [Path(each).resolve() for each in env_list("BASE_MODEL_DIRS", [str(DATA_DIR / "models")])]
HF_HUB_OFFLINE = env_bool("HF_HUB_OFFLINE", False)

# ── Words and time ──────────────────────────────────────────────────────────
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
FILE_UPLOAD_PERMISSIONS = 0o640

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env_str("LOG_LEVEL", "INFO")},
    "loggers": {"django.request": {"level": "ERROR"}, "httpx": {"level": "WARNING"}},
}
