"""Django settings. What an operator may change comes from the environment (``pairselect.env``)."""

import sys
from datetime import timedelta
from pathlib import Path

from csp.constants import NONE, SELF

from pairselect import env

BASE_DIR = Path(__file__).resolve().parent.parent

env.refuse_misspelt()
PAIRSELECT_DATA_DIR = env.data_dir("PAIRSELECT_DATA_DIR", default=BASE_DIR / "data")
PAIRSELECT_MODEL = env.model("PAIRSELECT_MODEL", default="embedded:smollm2-135m")
PAIRSELECT_SERVERS = env.servers("PAIRSELECT_SERVERS")
PAIRSELECT_MODELS = env.names("PAIRSELECT_MODELS")  # offered on the web beside PAIRSELECT_MODEL
PAIRSELECT_REWARD_MODELS = env.names("PAIRSELECT_REWARD_MODELS")
PAIRSELECT_REFERENCE_MODEL = env.reference_model("PAIRSELECT_REFERENCE_MODEL", PAIRSELECT_SERVERS)
PAIRSELECT_MAX_UPLOAD = env.size("PAIRSELECT_MAX_UPLOAD", default="2GB")
PAIRSELECT_MAX_UNPACKED = env.size("PAIRSELECT_MAX_UNPACKED", default="20GB")
PAIRSELECT_MAX_ROWS = env.count("PAIRSELECT_MAX_ROWS", default=5_000_000)
PAIRSELECT_MAX_CHARACTERS = env.count("PAIRSELECT_MAX_CHARACTERS", default=200_000)
PAIRSELECT_API_RATE = env.count("PAIRSELECT_API_RATE", default=600)  # a token's, a minute
PAIRSELECT_MAX_JOBS = env.count("PAIRSELECT_MAX_JOBS", default=100)  # a person's, unfinished
PAIRSELECT_METRICS_TOKEN = env.token("PAIRSELECT_METRICS_TOKEN")

DEBUG = env.flag("PAIRSELECT_DEBUG", default=False)
SECRET_KEY = env.secret_key("PAIRSELECT_SECRET_KEY", PAIRSELECT_DATA_DIR)
ALLOWED_HOSTS = env.hosts("PAIRSELECT_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
HTTPS = env.https("PAIRSELECT_HTTPS", "PAIRSELECT_ALLOWED_HOSTS", debug=DEBUG)
TRUSTED_PROXIES = env.trusted_proxies("PAIRSELECT_TRUSTED_PROXY", https=HTTPS)
OIDC = env.oidc("PAIRSELECT_OIDC")
PASSWORD_LOGIN = env.password_login("PAIRSELECT_PASSWORD_LOGIN", OIDC)
DATABASES = {"default": env.database("DATABASE_URL", PAIRSELECT_DATA_DIR, checkout=BASE_DIR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "pairselect",
    "pairselect.trail",
    "pairselect.jobs",
    "pairselect.accounts",
    "pairselect.pools",
    "pairselect.designs",
    "annotate",
    "pairselect.api",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "template_partials",
    "csp",
    "django_tasks",
    "django_tasks_db",
    "axes",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
]

MIDDLEWARE = [
    "pairselect.health.HealthMiddleware",  # before whatever a probe's request would be refused by
    "pairselect.observing.ObservingMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "pairselect.accounts.caching.KeptByNobodyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "annotate.middleware.LanguageMiddleware",  # Django's, and the person's own choice before it
    "annotate.middleware.TimeZoneMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "pairselect.accounts.middleware.HtmxLoginMiddleware",
    "csp.middleware.CSPMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "pairselect.urls"
WSGI_APPLICATION = "pairselect.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "pairselect.accounts.context.roles",
                "annotate.context.theme",
            ],
        },
    }
]

AUTHENTICATION_BACKENDS = [
    "pairselect.accounts.backends.DoorBackend",  # who may try at all
    "annotate.backends.PersonBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"

# Guesses: so many failures lock a name from an address, and so many of whatever names an address.
AXES_FAILURE_LIMIT = 5
ADDRESS_FAILURE_LIMIT = 50
AXES_COOLOFF_TIME = timedelta(minutes=15)  # from the last failure; trying goes unheard meanwhile
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "ip_address"]
AXES_RESET_ON_SUCCESS = True
AXES_HANDLER = "pairselect.accounts.locks.LockHandler"
AXES_CLIENT_IP_CALLABLE = "pairselect.accounts.address.client_address"
AXES_LOCKOUT_CALLABLE = "pairselect.accounts.locks.locked_out"
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "csrfmiddlewaretoken"]
AXES_SENSITIVE_PARAMETERS += ["old_password", "new_password1", "new_password2"]
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

# OpenID Connect. Of allauth no page is shown: accounts/oidc.py decides who comes in.
SOCIALACCOUNT_ADAPTER = "pairselect.accounts.oidc.Adapter"
SOCIALACCOUNT_LOGIN_ON_GET = True
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": "oidc",
                "name": OIDC.name,
                "client_id": OIDC.client_id,
                "secret": OIDC.client_secret,
                "settings": {"server_url": OIDC.issuer},
            }
        ]
        if OIDC
        else [],
    }
}
ACCOUNT_EMAIL_VERIFICATION = "none"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_AGE = 60 * 60 * 24 * 365
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = env.folder_in(PAIRSELECT_DATA_DIR, "static")  # filled by pairselect.fingerprints
WHITENOISE_USE_FINDERS = True  # plain names lead to the checkout, where nothing was published
WHITENOISE_IMMUTABLE_FILE_TEST = r"^/static/.+\.[0-9a-f]{12}\.\w+$"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "pairselect.fingerprints.FingerprintedStorage"},
}

MEDIA_ROOT = PAIRSELECT_DATA_DIR / "uploads"  # never served: uploads are read by workers only
FILE_UPLOAD_PERMISSIONS = 0o600

TASKS = {
    "default": {
        "BACKEND": "django_tasks_db.DatabaseBackend",
        "QUEUES": ["gpu", "cpu"],
    }
}

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "base-uri": [SELF],
        "object-src": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
        "report-uri": "/csp-reports/",
        "report-to": "csp",
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
CSRF_COOKIE_HTTPONLY = True
CSRF_TRUSTED_ORIGINS = env.origins(ALLOWED_HOSTS) if HTTPS else []
SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = env.count("PAIRSELECT_HSTS_SECONDS", default=31_536_000) if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.flag("PAIRSELECT_HSTS_SUBDOMAINS", default=False)
# Browsers' lists of HTTPS-only domains take whole domains: that is not for one app to ask for.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
SESSION_COOKIE_AGE = 60 * 60 * 24 * 14

# Before somebody at a terminal, a line for each request would bury what is said to them.
ROUTINE = "WARNING" if sys.stderr.isatty() else "INFO"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": "pairselect.trail.logs.line_formatter"},
        "json": {"()": "pairselect.trail.logs.json_formatter"},
    },
    "filters": {"circumstances": {"()": "pairselect.trail.logs.Circumstances"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": env.choice("PAIRSELECT_LOG_FORMAT", "line", "json"),
            "filters": ["circumstances"],
        }
    },
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "pairselect": {"level": "INFO"},
        "annotate": {"level": "INFO"},
        "pairselect.observing": {"level": ROUTINE},
        "pairselect.trail": {"level": ROUTINE},
        "django.request": {"level": "ERROR"},  # pairselect.observing has a line for each request
        "gunicorn.error": {"handlers": ["stderr"], "propagate": False},
    },
}
