"""The product's own settings, with a fresh machine's environment: what a developer has set plays no part."""

import os
import tempfile

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
if os.environ.get("REDIS_URL"):
    # A Redis database for each test process: whoever clears the cache empties all of it, the others' queue included.
    server, database = os.environ["REDIS_URL"].rsplit("/", 1)[0], 8 + int(WORKER.removeprefix("gw"))
    os.environ["REDIS_URL"] = f"{server}/{database}"

os.environ.update(
    CRMSYNC_ENV_FILE=os.devnull,
    CRMSYNC_DEBUG="0",
    CRMSYNC_SECRET_KEY="tests-only",
    CRMSYNC_ENCRYPTION_KEYS="A3jUHV0Sbd0jqFqI7QyhqCf0gGBT3tHSYp1qLFcGUKg=",
    CRMSYNC_BASE_URL="",
    CRMSYNC_QUEUE_NAME=f"crmsync-tests-{WORKER}",
    M365_TENANT_ID="11111111-2222-4333-8444-555555555555",
    M365_CLIENT_ID="crmsync-tests",
    M365_CLIENT_SECRET="not-a-secret",
    M365_ACCESS="delegated",
    M365_LOGIN_URL="http://127.0.0.1:1",  # each test that needs a tenant points these two at its own sandbox
    M365_GRAPH_URL="http://127.0.0.1:1/v1.0",
)
from crmsync.settings import *  # noqa: E402, F403

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":  # noqa: F405
    # A file, as in life: the threads of a server with a database in memory share one connection and its transactions.
    folder = "/dev/shm" if os.path.isdir("/dev/shm") else tempfile.gettempdir()
    DATABASES["default"]["TEST"] = {"NAME": f"{folder}/crmsync-tests-{os.getpid()}.sqlite3"}  # noqa: F405

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = True  # each client is an application of its own, and would list every static file at its start
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
