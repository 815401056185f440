"""Settings, all from the environment (docs/configuration.md lists them).

`make demo` writes the demo's own values to var/demo.env, so that every `manage.py` command sees the same product.
"""

import sys
from pathlib import Path

from crmsync.environment import Environment, is_loopback, is_public

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"

ENVIRONMENT = Environment()
ENVIRONMENT.read_file(Path(ENVIRONMENT.text("CRMSYNC_ENV_FILE", str(VAR_DIR / "demo.env"))), skip_prefix="M365_")

# --- The product -----------------------------------------------------------------------------------------------------

DEBUG = ENVIRONMENT.flag("CRMSYNC_DEBUG")
SECRET_KEY = ENVIRONMENT.secret("CRMSYNC_SECRET_KEY") or "unset"
ERASURE_KEY = ENVIRONMENT.secret("CRMSYNC_ERASURE_KEY") or SECRET_KEY
ALLOWED_HOSTS = ENVIRONMENT.listed("CRMSYNC_ALLOWED_HOSTS", ["127.0.0.1", "localhost"])
BASE_URL = ENVIRONMENT.text("CRMSYNC_BASE_URL").rstrip("/")
ENCRYPTION_KEYS = [
    key.strip() for key in ENVIRONMENT.secret("CRMSYNC_ENCRYPTION_KEYS").replace("\n", ",").split(",") if key.strip()
]

# --- Microsoft 365 ---------------------------------------------------------------------------------------------------

M365_TENANT_ID = ENVIRONMENT.text("M365_TENANT_ID")
M365_CLIENT_ID = ENVIRONMENT.text("M365_CLIENT_ID")
M365_CLIENT_SECRET = ENVIRONMENT.secret("M365_CLIENT_SECRET")
M365_CLIENT_SECRET_EXPIRES = ENVIRONMENT.day("M365_CLIENT_SECRET_EXPIRES")
M365_ACCESS = ENVIRONMENT.choice("M365_ACCESS", ["delegated", "application"], "delegated")
M365_LOGIN_URL = ENVIRONMENT.service_url("M365_LOGIN_URL", "https://login.microsoftonline.com")
M365_GRAPH_URL = ENVIRONMENT.service_url("M365_GRAPH_URL", "https://graph.microsoft.com/v1.0")
M365_CONFIGURED = bool(M365_TENANT_ID and M365_CLIENT_ID and M365_CLIENT_SECRET)

# Where Graph sends change notifications: a public address, or a sandbox's neighbour on this machine. '' for nowhere.
NOTIFIES = ENVIRONMENT.flag("CRMSYNC_NOTIFICATIONS", True) and (is_public(BASE_URL) or is_loopback(M365_GRAPH_URL))
NOTIFICATION_BASE = BASE_URL if NOTIFIES else ""

# The sandbox tenant is an app only while no real tenant is set: with one, its command does not even exist.
SANDBOX = is_loopback(M365_GRAPH_URL) or not M365_CLIENT_ID

# --- The sync's limits (docs/sync.md) --------------------------------------------------------------------------------

SYNC_DELETE_LIMIT = ENVIRONMENT.number("CRMSYNC_DELETE_LIMIT", 20)
SYNC_DELETE_PERCENT = ENVIRONMENT.number("CRMSYNC_DELETE_PERCENT", 10)
SYNC_OVERWRITE_PERCENT = ENVIRONMENT.number("CRMSYNC_OVERWRITE_PERCENT", 50)
SYNC_PUSH = ENVIRONMENT.flag("CRMSYNC_PUSH", True)
SYNC_KEEP_CHANGES_DAYS = ENVIRONMENT.number("CRMSYNC_KEEP_CHANGES_DAYS", 90, least=1)
SYNC_VERIFY_DAYS = ENVIRONMENT.number("CRMSYNC_VERIFY_DAYS", 7)
SYNC_KEEP_QUIET_RUNS_DAYS = ENVIRONMENT.number("CRMSYNC_KEEP_QUIET_RUNS_DAYS", 7, least=1)

# --- Monitoring ------------------------------------------------------------------------------------------------------

METRICS_TOKEN = ENVIRONMENT.secret("CRMSYNC_METRICS_TOKEN")

# --- Django ----------------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "crmsync",
    "crmsync.users",
    "contacts",
    "exchange_setup",
    "crmsync.sync",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.microsoft",
    "csp",
    "django_countries",
    "django_htmx",
    "django_include_bootstrap",
    "django_q",
    "lucide",
]
if SANDBOX:
    INSTALLED_APPS.append("crmsync.sandbox")

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
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
    "allauth.account.middleware.AccountMiddleware",
    "crmsync.nul.NulMiddleware",
    "crmsync.users.kept_forms.KeptFormMiddleware",
]

ROOT_URLCONF = "crmsync.urls"
WSGI_APPLICATION = "crmsync.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# --- Database, cache, queue ------------------------------------------------------------------------------------------

DATABASES = {"default": ENVIRONMENT.database("DATABASE_URL", f"sqlite:///{VAR_DIR / 'crmsync.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    Path(DATABASES["default"]["NAME"]).parent.mkdir(parents=True, exist_ok=True)
    # IMMEDIATE + WAL + a long timeout: web and workers write side by side without "database is locked".
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = ENVIRONMENT.secret("REDIS_URL")
CACHES = {
    "default": (
        {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
        if REDIS_URL
        else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    )
}

Q_CLUSTER = {
    "name": ENVIRONMENT.text("CRMSYNC_QUEUE_NAME", "crmsync"),
    "workers": ENVIRONMENT.number("CRMSYNC_WORKERS", 2, least=1),
    "poll": 0.1,
    "queue_limit": 2,
    # A run stops itself long before this and goes on in a fresh task; the queue's own timeout is the last resort.
    "timeout": 600,
    "retry": 3600,
    "max_attempts": 1,
    "ack_failures": True,
    "catch_up": False,
    "save_limit": 250,
    "label": "Background jobs",
    "log_level": "WARNING",
    **({"redis": REDIS_URL} if REDIS_URL else {"orm": "default"}),
}

# --- Signing in ------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "users.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "crmsync.users.adapters.AccountAdapter"
SOCIALACCOUNT_ADAPTER = "crmsync.users.adapters.SocialAccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"  # people are invited by an administrator; nobody signs up
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_FORMS = {
    "login": "crmsync.users.forms.SignInForm",
    "reset_password": "crmsync.users.forms.ForgottenPasswordForm",
    "reset_password_from_key": "crmsync.users.forms.PasswordFromLinkForm",
    "change_password": "crmsync.users.forms.PasswordChangeForm",
    "set_password": "crmsync.users.forms.FirstPasswordForm",
    "reauthenticate": "crmsync.users.forms.PasswordOnceMoreForm",
}
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_LOGIN_ON_PASSWORD_RESET = True
# Django's own, which reads nothing but the user: allauth's would store a second copy of the e-mail to sign in by.
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "django.contrib.auth.tokens.PasswordResetTokenGenerator"
SOCIALACCOUNT_STORE_TOKENS = False  # the mailbox tokens are msal's, sealed, in exchange_setup
# The app registration itself comes from M365_* at call time: crmsync.users.adapters.
SOCIALACCOUNT_PROVIDERS = {"microsoft": {"SCOPE": ["User.Read"], "OAUTH_PKCE_ENABLED": True}}

# --- Languages, time, static files -----------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("da", "Dansk")]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = ["crmsync.formats"]
TIME_ZONE = ENVIRONMENT.text("CRMSYNC_TIME_ZONE", "Europe/Copenhagen")
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_BUILT = (STATIC_ROOT / "staticfiles.json").exists()
WHITENOISE_USE_FINDERS = not STATIC_BUILT
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "whitenoise.storage.CompressedManifestStaticFilesStorage"
            if STATIC_BUILT or "collectstatic" in sys.argv
            else "django.contrib.staticfiles.storage.StaticFilesStorage"
        )
    },
}

# --- Security --------------------------------------------------------------------------------------------------------

HTTPS = BASE_URL.startswith("https://")
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
BEHIND_PROXY = ENVIRONMENT.flag("CRMSYNC_BEHIND_PROXY")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
# Failed sign-ins are counted by the visitor's address; without this everybody would share the proxy's.
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if BEHIND_PROXY else 0
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if HTTPS else "http"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "crmsync.users.kept_forms.csrf_failure"
CSRF_TRUSTED_ORIGINS = [BASE_URL] if BASE_URL else []
# The forms that lead to Microsoft's sign-in page answer with a redirect there.
SIGN_IN_ORIGIN = "/".join(M365_LOGIN_URL.split("/")[:3])
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'", SIGN_IN_ORIGIN],
    }
}

# --- Mail, logging ---------------------------------------------------------------------------------------------------

DEFAULT_FROM_EMAIL = ENVIRONMENT.text("CRMSYNC_FROM_EMAIL", "crmsync@localhost")
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
EMAIL_TIMEOUT = 20
EMAIL_FOLDER = ENVIRONMENT.text("CRMSYNC_EMAIL_FOLDER")
EMAIL_IS_SENT = bool(ENVIRONMENT.text("CRMSYNC_EMAIL_HOST") or EMAIL_FOLDER)  # where it is not, pages offer no mail
if ENVIRONMENT.text("CRMSYNC_EMAIL_HOST"):
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST = ENVIRONMENT.text("CRMSYNC_EMAIL_HOST")
    EMAIL_PORT = ENVIRONMENT.number("CRMSYNC_EMAIL_PORT", 587)
    EMAIL_HOST_USER = ENVIRONMENT.text("CRMSYNC_EMAIL_USER")
    EMAIL_HOST_PASSWORD = ENVIRONMENT.secret("CRMSYNC_EMAIL_PASSWORD")
    EMAIL_USE_TLS = True
elif EMAIL_FOLDER:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = EMAIL_FOLDER

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {name: {"level": "INFO"} for name in ("contacts", "exchange_setup", "crmsync")},
}
